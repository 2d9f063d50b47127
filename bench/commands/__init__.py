"""What ``python -m bench`` can do: one command a file, each with ``add_arguments`` and ``run``. They import what is heavy when they run."""

import argparse
from pathlib import Path

from bench.evidence.files import RESULTS


def add_results(parser: argparse.ArgumentParser) -> None:
    """The folder that a command reads or writes."""
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="DIR", help="where the files are (default: results/)")
