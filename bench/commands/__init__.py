"""What ``python -m bench`` can do: one command a file, each with ``add_arguments`` and ``run``. They import what is heavy when they run."""

import argparse
from pathlib import Path
from typing import Protocol

from bench.evidence.files import RESULTS


class Command(Protocol):
    """A module of this folder: its docstring is the command's help, its last name the command."""

    __name__: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Say what the command takes."""

    def run(self, options: argparse.Namespace) -> int:
        """Do it; 0 fine, 1 the thing checked failed. Wrong usage and unreadable input raise UsageError."""


def add_results(parser: argparse.ArgumentParser) -> None:
    """The folder that a command reads or writes."""
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="DIR", help="where the files are (default: results/)")
