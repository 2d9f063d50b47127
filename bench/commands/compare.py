"""Compare evidence files of several devices, machines or commits side by side."""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The files, and how the comparison is written."""
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="evidence files; the others are measured by the first")
    parser.add_argument("--mixed-commits", action="store_true", help="compare also what other commits, or uncommitted changes, measured")
    output = parser.add_mutually_exclusive_group()
    for name, said in (("markdown", "Markdown tables"), ("csv", "CSV, a line a cell and file"), ("json", "JSON, with everything")):
        output.add_argument(
            f"--{name}", dest="output", action="store_const", const=name, help=f"{said}, instead of tables for the terminal"
        )


def run(options: argparse.Namespace) -> int:
    """Print the comparison."""
    from bench.comparison import columns, listing, page
    from bench.comparison.style import MARKDOWN, TERMINAL

    compared = columns.read(options.files, mixed_commits=options.mixed_commits)
    if options.output in ("csv", "json"):
        said = {"csv": listing.as_csv, "json": listing.as_json}[options.output](compared)
    else:
        said = page.text(compared, MARKDOWN if options.output == "markdown" else TERMINAL)
    print(said, end="")
    return 0
