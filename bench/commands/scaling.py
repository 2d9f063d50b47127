"""Measure how many times as fast several ranks are as one, each on a thread, and say what larger worlds would be on paper."""

import argparse

from targetrl_core.errors import UsageError

MOST_RANKS = 1024


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How many ranks, on how much work."""
    parser.add_argument("--ranks", type=int, default=2, help="ranks that are set beside one (default: 2)")
    parser.add_argument("--policies", type=float, default=2e8, metavar="N", help="policies of a round (default: 2e8)")
    parser.add_argument("--steps", type=int, default=50, help="updates of each policy (default: 50)")
    parser.add_argument("--rounds", type=int, default=10, help="pairs of rounds, one rank and several in turns (default: 10)")
    parser.add_argument("--device", default="cpu", help="cpu, or cuda where every rank has a GPU (default: cpu)")


def run(options: argparse.Namespace) -> int:
    """Measure, and print ratio and table."""
    for name, most in (("ranks", MOST_RANKS), ("policies", 1e15), ("steps", 10**6), ("rounds", 10**4)):
        least = 2 if name in ("ranks", "rounds") else 1
        value = getattr(options, name)
        if not least <= value <= most or value != int(value):
            raise UsageError(f"--{name} is {value:g}; it must be a whole number from {least} to {most:g}")

    from bench.scaling import paper, ratio
    from bench.scaling.job import RankFailedError
    from bench.scaling.messages import Task
    from targetrl_core.progress import progress

    task = Task(policies=int(options.policies), steps=options.steps, device=options.device)
    try:
        with progress(2 * options.rounds, "rounds", quiet=options.quiet) as bar:
            found = ratio.measure(task, options.ranks, options.rounds, bar.update)
    except RankFailedError as error:
        raise UsageError(str(error)) from error
    print(ratio.text(found))
    print(paper.text(found))
    return 0
