"""Write the tables of a folder of evidence anew."""

import argparse

from bench.commands import add_results


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The folder."""
    add_results(parser)


def run(options: argparse.Namespace) -> int:
    """Write, and say what was written."""
    from bench.report import folder

    for path in folder.write(options.results):
        print(f"wrote {path}")
    return 0
