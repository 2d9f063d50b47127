"""Train thousands of times in one process, and see that memory, files, threads and caches do not grow (takes two minutes)."""

import argparse

from targetrl_core.errors import UsageError

LEAST = 100
"""Fewest trainings: of fewer no line can be fitted."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How often."""
    parser.add_argument("--trainings", type=int, default=6000, metavar="N", help="how many (default: 6,000)")


def run(options: argparse.Namespace) -> int:
    """Train, and print what grew; 1 where something did, beyond its bound."""
    if options.trainings < LEAST:
        raise UsageError(f"--trainings is {options.trainings}; it must be at least {LEAST}")

    from bench import soak
    from targetrl_core.progress import progress

    with progress(options.trainings, "trainings", quiet=options.quiet) as bar:
        lines, bounded = soak.main(options.trainings, bar.update)
    print("\n".join(lines))
    return int(not bounded)
