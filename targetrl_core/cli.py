"""The ``targetrl`` command. torch is imported by the commands that need it, so that --help is instant."""

import argparse
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

from targetrl_core import __version__
from targetrl_core.commands import INTERRUPTED, WRONG_USAGE, Command, devices, sweep, train, verify
from targetrl_core.commands.completion import add_completion
from targetrl_core.commands.output import printing
from targetrl_core.commands.parser import Parser
from targetrl_core.errors import FallbackWarning, UsageError

COMMANDS: tuple[Command, ...] = (train, sweep, verify, devices)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code: 0 fine, 1 the thing checked failed, 2 wrong usage."""
    return printing("targetrl", lambda: _main(arguments))


def _main(arguments: Sequence[str] | None) -> int:
    options = _parser().parse_args(arguments)
    run: Callable[[argparse.Namespace], int] = options.run
    try:
        with _fallbacks_told():
            return run(options)
    except UsageError as error:
        print(f"targetrl: {error}", file=sys.stderr)
        return WRONG_USAGE
    except KeyboardInterrupt:
        print("targetrl: interrupted", file=sys.stderr)
        return INTERRUPTED


@contextmanager
def _fallbacks_told() -> Iterator[None]:
    """A line for each variant that ``auto`` passes over, in place of Python's two."""
    lines: set[str] = set()
    with warnings.catch_warnings():
        warnings.simplefilter("always", FallbackWarning)
        others = warnings.showwarning

        def show(  # noqa: PLR0913 — as Python calls it
            message: Warning | str, category: type[Warning], filename: str, lineno: int, file: TextIO | None = None, line: str | None = None
        ) -> None:
            if not issubclass(category, FallbackWarning):
                others(message, category, filename, lineno, file, line)
            elif str(message) not in lines:
                lines.add(str(message))
                print(f"targetrl: {message}", file=sys.stderr)

        warnings.showwarning = show
        yield


def _parser() -> argparse.ArgumentParser:
    about = "Train many tiny reward-driven policies fast, and prove that they converge identically."
    parser = Parser(prog="targetrl", description=about)
    parser.add_argument("--version", action="version", version=f"targetrl {__version__}")
    add_completion(parser)
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in COMMANDS:
        text = command.__doc__ or ""
        subparser = commands.add_parser(command.__name__.rpartition(".")[2], help=text, description=text)
        command.add_arguments(subparser)
        subparser.set_defaults(run=command.run)
    return parser


if __name__ == "__main__":
    sys.exit(main())
