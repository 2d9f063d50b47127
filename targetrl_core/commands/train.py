"""Train policies; by default the listing's run and its output."""

import argparse
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from targetrl_core.commands import FINE, INTERRUPTED, WRONG_USAGE
from targetrl_core.commands.output import say
from targetrl_core.commands.parser import (
    add_constants,
    add_output,
    add_place,
    check_effect,
    check_population,
    count,
    problem_of,
    seconds,
)
from targetrl_core.errors import UsageError
from targetrl_core.sharding.world import World, this_world

if TYPE_CHECKING:
    import torch

    from targetrl_core.problem import Problem
    from targetrl_core.streaming import Plan
    from targetrl_core.training import Run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which policies, how, where, and what on."""
    parser.add_argument("--seed", type=int, default=0, help="seed of the first policy, as for torch.manual_seed (default: 0)")
    parser.add_argument(
        "--population", type=count, default=1, metavar="N", help="policies to train; every step of a single one is printed (default: 1)"
    )
    add_place(parser, variant="eager for one policy, the fastest here for more", device="; for a population cuda is all GPUs of the host")
    add_constants(parser)
    _add_long_runs(parser.add_argument_group("long runs", "of a population, also on many hosts: docs/hosts.md"))
    parser.add_argument(
        "--plot", type=Path, metavar="FILE", help="draw the learning curves, .png: output and reward, or the outputs of a population"
    )
    add_output(parser)


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
    world = this_world()  # before torch is imported
    try:
        problem = problem_of(options, options.objective, options.arithmetic)
        check_effect(options, [options.objective])
        check_population(options.population, options.seed)
        if options.plot is not None:
            _check_plot(options)
    except UsageError:  # which every rank finds, and one tells
        if world.rank == 0:
            raise
        return WRONG_USAGE
    if options.population > 1:
        return _stream(problem, options, world)
    return _train(problem, options) if world.rank == 0 else FINE  # one policy is not shared


def _train(problem: "Problem", options: argparse.Namespace) -> int:
    from targetrl_core.report import listing_lines, run_document

    variant = options.variant or ("eager" if options.arithmetic == "native" else "auto")
    recorded = _recorded(problem, variant, options)
    say(options, listing_lines(recorded), lambda: run_document(recorded, options.seed))
    if options.plot is not None:
        _plot(recorded, options)
    return FINE


def _stream(problem: "Problem", options: argparse.Namespace, world: World) -> int:
    """Train a population of any size; interrupted, say what became of those that were trained. Of several ranks the first speaks."""
    from targetrl_core.checkpoint.folder import Kept
    from targetrl_core.progress import progress
    from targetrl_core.report import summary_document, summary_lines
    from targetrl_core.sharding.shards import train_everywhere
    from targetrl_core.streaming import plan

    def plan_on(device: "torch.device") -> "Plan":
        return plan(problem, options.population, seed=options.seed, variant=options.variant or "auto", device=device)

    kept = Kept(options.checkpoint, options.resume, options.checkpoint_every, _note) if options.checkpoint else None
    with _interrupted_by_sigterm(), progress(options.population, "policies", quiet=options.quiet or world.rank != 0) as bar:

        def tell(trained: int) -> None:
            bar.update(trained - bar.n)

        summary, whole = train_everywhere(plan_on, options.device, world, tell, kept=kept, patience_seconds=options.patience)
    if world.rank != 0:
        return FINE if whole else INTERRUPTED
    if not whole:
        mine = "" if world.size == 1 else " in rank 0"
        how = f"; go on with --checkpoint {options.checkpoint} --resume" if options.checkpoint else ""
        _note(f"interrupted after {summary.policies:,} of {options.population:,} policies{mine}{how}")
    if whole or (world.size == 1 and summary.policies):  # a part of one slice says nothing of the population
        say(options, summary_lines(summary), lambda: summary_document(summary, options.seed))
    if whole and options.plot is not None:
        _plot(_recorded(problem, summary.variant, options, what="drawing curves"), options)
    return FINE if whole else INTERRUPTED


def _note(line: str) -> None:
    print(f"targetrl: {line}", file=sys.stderr)


@contextmanager
def _interrupted_by_sigterm() -> Iterator[None]:
    """Being told to end (SIGTERM) is being interrupted: what has been trained is kept."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _recorded(problem: "Problem", variant: str, options: argparse.Namespace, what: str | None = None) -> "Run":
    """The run with its outputs at every step."""
    from targetrl_core import Population, train
    from targetrl_core.progress import progress

    start = Population.initialise(options.population, seed=options.seed)
    total, unit = problem.steps * start.n, "steps" if start.n == 1 else "policy-steps"
    with progress(total, unit, quiet=options.quiet, what=what) as bar:
        return train(problem, start, variant=variant, device=options.device, record=True, tell=bar.update)


def _check_plot(options: argparse.Namespace) -> None:
    from targetrl_core.pictures.canvas import check_picture
    from targetrl_core.pictures.curves import check_curves

    check_curves(options.population, options.steps)
    check_picture("--plot", options.plot)


def _plot(recorded: "Run", options: argparse.Namespace) -> None:
    from targetrl_core.files import write
    from targetrl_core.pictures.curves import learning_curves

    write(options.plot, learning_curves(recorded))
    if not options.json:
        print(f"wrote {options.plot}")
