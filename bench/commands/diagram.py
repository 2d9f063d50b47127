"""Print throughput over N in Markdown, a chart for each device, as GitHub draws it in a job's summary."""

import argparse

from bench.commands import add_results


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The folder."""
    add_results(parser)


def run(options: argparse.Namespace) -> int:
    """Print them."""
    from bench.report import folder
    from bench.report.diagram import diagram

    for machine in folder.read(options.results):
        print("\n".join(diagram(machine)))
    return 0
