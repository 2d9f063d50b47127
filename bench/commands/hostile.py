"""Spoil real evidence files in every way that comes to mind, and see that each is refused by name or shown safely (takes minutes)."""

import argparse
from pathlib import Path

from targetrl_core.errors import UsageError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How many files, and which."""
    parser.add_argument("--files", type=int, default=100_000, metavar="N", help="how many (default: 100,000)")
    parser.add_argument("--seed", type=int, default=0, help="which files (default: 0)")
    parser.add_argument("--first", type=int, default=0, metavar="I", help="number of the first file of the seed (default: 0)")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="where files are put that are neither refused nor shown safely")


def run(options: argparse.Namespace) -> int:
    """Count what becomes of them; 1 where one is neither refused nor shown safely, or takes too long."""
    from tabulate import tabulate

    from bench.hostile.feed import feed
    from targetrl_core.progress import progress

    for name, least in (("files", 1), ("first", 0)):
        if getattr(options, name) < least:
            raise UsageError(f"--{name} is {getattr(options, name)}; it must be at least {least}")
    with progress(options.files, "files", quiet=options.quiet) as bar:
        counts = feed(options.files, first=options.first, seed=options.seed, keep=options.keep, tell=bar.update)
    lines = [(name, one.files, one.refused, one.shown, one.failed, f"{one.slowest_seconds:.3f}") for name, one in counts.items()]
    print(tabulate(lines, ("files", "fed", "refused by name", "shown safely", "failed", "slowest, s"), intfmt=","))
    for name, one in counts.items():
        for failure in one.failures:
            print(f"{name}, {failure}")
    return int(any(one.failed for one in counts.values()))
