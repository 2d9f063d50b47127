"""Write the tables, the page and the pictures of a folder of evidence anew."""

import argparse

from bench.commands import add_results


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The folder."""
    add_results(parser)


def run(options: argparse.Namespace) -> int:
    """Write, and say what was written."""
    from bench.report import folder

    for line in folder.write(options.results, quiet=options.quiet):
        print(line)
    return 0
