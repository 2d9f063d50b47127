"""--print-completion: a script by which the shell completes the command's words, their values and files."""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from targetrl_core.errors import one_of
from targetrl_core.listing.defaults import BASELINES, OBJECTIVES
from targetrl_core.names import ARITHMETICS, DEVICES, OPTIMIZERS

SHELLS = ("bash", "zsh", "tcsh")
CHOICES = {
    "objective": OBJECTIVES,
    "arithmetic": ARITHMETICS,
    "optimizer": OPTIMIZERS,
    "baseline": BASELINES,
    "device": DEVICES,
}
"""What may follow an option. The parser leaves it to the problem to check, whose errors say more."""

AFTER_PYTHON = """
_{module}_after_python() {{
  COMPREPLY=()
  [[ "${{COMP_WORDS[1]-}}" == -m && "${{COMP_WORDS[2]-}}" == {module} && $COMP_CWORD -gt 2 ]] || return 0
  COMP_WORDS=({module} "${{COMP_WORDS[@]:3}}")
  COMP_CWORD=$((COMP_CWORD - 2))
  _shtab_{module}
}}
complete -o bashdefault -o default -F _{module}_after_python python python3"""
"""Has bash complete a module that python -m runs; of whatever else python runs, it completes files as before."""


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
        module = self.const
        parser.prog = module or parser.prog  # shells complete one word
        print(shtab.complete(parser, str(shell)))
        if module and shell == "bash":
            print(AFTER_PYTHON.format(module=module))
        parser.exit()


def add_completion(parser: argparse.ArgumentParser, module: str | None = None) -> None:
    """The option; of a program that is run as ``python -m``, the script completes the module's name as if it were a command."""
    completes = f", which completes the word {module} and, in bash, python -m {module}" if module else ""
    parser.add_argument(
        "--print-completion",
        action=PrintCompletion,
        const=module,
        choices=SHELLS,
        metavar="SHELL",
        help=f"print a script for {one_of(SHELLS)}{completes}",
    )


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """What a parser takes, and what those of its commands take."""
    for action in parser._actions:  # noqa: SLF001 — there is no public way
        yield action
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            for command in action.choices.values():
                yield from _actions(command)
