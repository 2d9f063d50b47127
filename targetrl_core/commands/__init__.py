"""What ``targetrl`` can do: one command a file, each with ``add_arguments`` and ``run``. They import torch when they run."""

import argparse
from typing import Protocol

FINE, FAILED, WRONG_USAGE, INTERRUPTED = 0, 1, 2, 130
"""Exit codes: fine, the thing checked failed, wrong usage or unreadable input, interrupted."""


class Command(Protocol):
    """A module of this folder: its docstring is the command's help, its last name the command."""

    __name__: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Say what the command takes."""

    def run(self, options: argparse.Namespace) -> int:
        """Do it; returns the exit code. Wrong usage and unreadable input raise UsageError."""
