"""--print-completion: a script by which the shell completes the command's words, their values and files."""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from targetrl_core.names import ARITHMETICS, BASELINES, DEVICES, OBJECTIVES, OPTIMIZERS

SHELLS = ("bash", "zsh", "tcsh")
CHOICES = {
    "objective": OBJECTIVES,
    "arithmetic": ARITHMETICS,
    "optimizer": OPTIMIZERS,
    "baseline": BASELINES,
    "device": DEVICES,
}
"""What may follow an option. The parser leaves it to the problem to check, whose errors say more."""


class PrintCompletion(argparse.Action):
    """Print the script of a shell, and end."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        _namespace: argparse.Namespace,
        shell: str | Sequence[Any] | None,
        _option: str | None = None,
    ) -> None:
        """Print it."""
        import shtab

        for action in _actions(parser):
            action.choices = action.choices or CHOICES.get(action.dest)
            if action.type is Path:
                action.complete = shtab.FILE  # type: ignore[attr-defined] # as shtab reads it
        print(shtab.complete(parser, str(shell)))
        parser.exit()


def add_completion(parser: argparse.ArgumentParser) -> None:
    """The option."""
    parser.add_argument(
        "--print-completion", action=PrintCompletion, choices=SHELLS, metavar="SHELL", help=f"print a script for {', '.join(SHELLS)}"
    )


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """What a parser takes, and what those of its commands take."""
    for action in parser._actions:  # noqa: SLF001 — there is no public way
        yield action
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            for command in action.choices.values():
                yield from _actions(command)
