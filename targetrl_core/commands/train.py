"""Train policies; by default the listing's run and its output."""

import argparse
import sys

from targetrl_core.commands import FINE, INTERRUPTED
from targetrl_core.commands.parser import add_constants, count, problem_of
from targetrl_core.errors import one_of
from targetrl_core.names import ARITHMETICS, DEVICES, OBJECTIVES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which policies, how, where, and what on."""
    parser.add_argument("--seed", type=int, default=0, help="seed of the first policy, as for torch.manual_seed (default: 0)")
    parser.add_argument(
        "--population", type=count, default=1, metavar="N", help="policies to train; every step of a single one is printed (default: 1)"
    )
    parser.add_argument("--variant", help="way to execute the step (default: eager for one policy, the fastest here for more)")
    parser.add_argument("--device", default="cpu", help=f"{one_of(DEVICES)} (default: cpu)")
    parser.add_argument("--objective", default=OBJECTIVES[0], help=f"{one_of(OBJECTIVES)} (default: {OBJECTIVES[0]})")
    parser.add_argument("--arithmetic", default=ARITHMETICS[0], help=f"{one_of(ARITHMETICS)} (default: {ARITHMETICS[0]})")
    add_constants(parser)


def run(options: argparse.Namespace) -> int:
    """Train, and print every step of one policy, or what became of many."""
    return _stream(options) if options.population > 1 else _train(options)


def _train(options: argparse.Namespace) -> int:
    from targetrl_core import Population, train
    from targetrl_core.report import listing_lines

    problem = problem_of(options, options.objective, options.arithmetic)
    variant = options.variant or ("eager" if options.arithmetic == "native" else "auto")
    found = train(problem, Population.initialise(1, seed=options.seed), variant=variant, device=options.device, record=True)
    for line in listing_lines(found):
        print(line)
    return FINE


def _stream(options: argparse.Namespace) -> int:
    """Train a population of any size; interrupted, say what became of those that were trained."""
    from tqdm import tqdm

    from targetrl_core import stream
    from targetrl_core.report import summary_lines

    problem = problem_of(options, options.objective, options.arithmetic)
    summaries = stream(problem, options.population, seed=options.seed, variant=options.variant or "auto", device=options.device)
    summary = None
    # Only where someone watches: disable=None.
    bar = tqdm(total=options.population, unit=" policies", unit_scale=True, disable=None, leave=False)
    try:
        for summary in summaries:
            bar.update(summary.policies - bar.n)
    except KeyboardInterrupt:
        bar.close()
        done = 0 if summary is None else summary.policies
        print(f"targetrl: interrupted after {done:,} of {options.population:,} policies", file=sys.stderr)
    bar.close()
    for line in [] if summary is None else summary_lines(summary):
        print(line)
    return FINE if summary is not None and summary.policies == options.population else INTERRUPTED
