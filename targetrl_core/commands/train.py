"""Train policies; by default the listing's run and its output."""

import argparse
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from targetrl_core.commands import FINE, INTERRUPTED, WRONG_USAGE
from targetrl_core.commands.parser import add_constants, count, problem_of, seconds
from targetrl_core.errors import UsageError, one_of
from targetrl_core.names import ARITHMETICS, DEVICES, OBJECTIVES

if TYPE_CHECKING:
    from targetrl_core.sharding.everywhere import Asked


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which policies, how, where, and what on."""
    parser.add_argument("--seed", type=int, default=0, help="seed of the first policy, as for torch.manual_seed (default: 0)")
    parser.add_argument(
        "--population", type=count, default=1, metavar="N", help="policies to train; every step of a single one is printed (default: 1)"
    )
    parser.add_argument("--variant", help="way to execute the step (default: eager for one policy, the fastest here for more)")
    parser.add_argument("--device", default="cpu", help=f"{one_of(DEVICES)} (default: cpu); for a population cuda is all GPUs of the host")
    parser.add_argument("--objective", default=OBJECTIVES[0], help=f"{one_of(OBJECTIVES)} (default: {OBJECTIVES[0]})")
    parser.add_argument("--arithmetic", default=ARITHMETICS[0], help=f"{one_of(ARITHMETICS)} (default: {ARITHMETICS[0]})")
    add_constants(parser)
    _add_long_runs(parser.add_argument_group("long runs", "of a population, also on many hosts: docs/hosts.md"))


def _add_long_runs(group: "argparse._ArgumentGroup") -> None:
    group.add_argument("--checkpoint", type=Path, metavar="DIR", help="keep in an empty folder what has become of the policies so far")
    group.add_argument("--resume", action="store_true", help="go on from what is in --checkpoint, if anything is")
    group.add_argument("--checkpoint-every", type=seconds, default=30.0, metavar="SECONDS", help="time between checkpoints (default: 30)")
    group.add_argument(
        "--patience", type=seconds, default=300.0, metavar="SECONDS", help="how long a rank may take for a chunk (default: 300)"
    )


def run(options: argparse.Namespace) -> int:
    """Train, and print every step of one policy, or what became of many."""
    if options.resume and options.checkpoint is None:
        raise UsageError("--resume is given; it needs --checkpoint DIR, the folder to go on from")
    if options.checkpoint is not None and options.population == 1:
        raise UsageError(f"--checkpoint is {options.checkpoint}; it is for a population, and --population is 1")
    return _stream(options) if options.population > 1 else _train(options)


def _train(options: argparse.Namespace) -> int:
    from targetrl_core.sharding.world import this_world

    if this_world().rank != 0:  # there is nothing to share
        return FINE
    from targetrl_core import Population, train
    from targetrl_core.report import listing_lines

    problem = problem_of(options, options.objective, options.arithmetic)
    variant = options.variant or ("eager" if options.arithmetic == "native" else "auto")
    found = train(problem, Population.initialise(1, seed=options.seed), variant=variant, device=options.device, record=True)
    for line in listing_lines(found):
        print(line)
    return FINE


def _stream(options: argparse.Namespace) -> int:
    """Train a population of any size; interrupted, say what became of those that were trained. Of several ranks the first speaks."""
    from targetrl_core.sharding.world import this_world

    world = this_world()  # before torch is imported
    from targetrl_core.report import summary_lines
    from targetrl_core.sharding.everywhere import train_everywhere

    try:
        asked = _asked(options)
    except UsageError:  # which every rank finds
        if world.rank == 0:
            raise
        return WRONG_USAGE
    with _told_to_end(), _bar(options.population, shown=world.rank == 0) as told:
        summary, whole = train_everywhere(asked, world, told)
    if world.rank != 0:
        return FINE if whole else INTERRUPTED
    if not whole:
        mine = "" if world.size == 1 else " in rank 0"
        how = f"; go on with --checkpoint {options.checkpoint} --resume" if options.checkpoint else ""
        print(f"targetrl: interrupted after {summary.policies:,} of {options.population:,} policies{mine}{how}", file=sys.stderr)
    if whole or (world.size == 1 and summary.policies):  # a part of one slice says nothing of the population
        for line in summary_lines(summary):
            print(line)
    return FINE if whole else INTERRUPTED


def _asked(options: argparse.Namespace) -> "Asked":
    from targetrl_core.checkpoint.resuming import Kept
    from targetrl_core.sharding.everywhere import Asked

    kept = Kept(options.checkpoint, options.resume, options.checkpoint_every, _note) if options.checkpoint else None
    return Asked(
        problem=problem_of(options, options.objective, options.arithmetic),
        n=options.population,
        seed=options.seed,
        variant=options.variant or "auto",
        device=options.device,
        kept=kept,
        patience_seconds=options.patience,
    )


def _note(line: str) -> None:
    print(f"targetrl: {line}", file=sys.stderr)


@contextmanager
def _bar(policies: int, *, shown: bool) -> Iterator[Callable[[int], None]]:
    """A progress bar, where someone watches."""
    from tqdm import tqdm

    with tqdm(total=policies, unit=" policies", unit_scale=True, disable=None if shown else True, leave=False) as bar:

        def told(trained: int) -> None:
            bar.update(trained - bar.n)

        yield told


@contextmanager
def _told_to_end() -> Iterator[None]:
    """Being told to end (SIGTERM) is being interrupted: what has been trained is kept."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
