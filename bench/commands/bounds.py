"""Measure how far honest variants are from the oracle (takes minutes)."""

import argparse

from bench.commands import add_results


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The folder."""
    add_results(parser)


def run(options: argparse.Namespace) -> int:
    """Measure, and write bounds.json."""
    from bench import bounds

    bounds.main(options.results, quiet=options.quiet)
    print(f"wrote {options.results / 'bounds.json'}")
    return 0
