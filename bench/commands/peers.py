"""Time jax's loops by how far they are unrolled (takes two minutes)."""

import argparse

from bench.commands import add_results


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The folder."""
    add_results(parser)


def run(options: argparse.Namespace) -> int:
    """Time them, and write the evidence of the sweep."""
    from bench.peers import sweep

    return sweep.main(options.results, quiet=options.quiet)
