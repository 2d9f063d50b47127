"""Compare evidence files of several devices, machines or commits side by side."""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The files, and how the comparison is written."""
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="evidence files; the others are measured by the first")
    parser.add_argument("--mixed-commits", action="store_true", help="compare also what other commits, or uncommitted changes, measured")
    output = parser.add_mutually_exclusive_group()
    for name, description in (("markdown", "Markdown tables"), ("csv", "CSV, a line a cell and file"), ("json", "JSON, with everything")):
        output.add_argument(
            f"--{name}", dest="output", action="store_const", const=name, help=f"{description}, instead of tables for the terminal"
        )


def run(options: argparse.Namespace) -> int:
    """Print the comparison."""
    from bench.comparison import columns, export, sections

    compared = columns.read(options.files, mixed_commits=options.mixed_commits)
    if options.output in ("csv", "json"):
        text = {"csv": export.as_csv, "json": export.as_json}[options.output](compared)
    else:
        text = sections.text(compared, sections.MARKDOWN if options.output == "markdown" else sections.TERMINAL)
    print(text, end="")
    return 0
