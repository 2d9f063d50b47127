"""``python -m bench``: what makes, reads and compares the files of results/."""

import argparse
import sys
from collections.abc import Sequence

from bench import upkeep
from bench.commands import ab, compare, missing, recommend, report, schema
from bench.evidence.untrusted import plain
from targetrl_core import __version__
from targetrl_core.commands import Command
from targetrl_core.commands.completion import add_completion
from targetrl_core.commands.output import is_of_output, printing
from targetrl_core.commands.parser import Parser
from targetrl_core.errors import UsageError

COMMANDS: tuple[Command, ...] = (report, compare, recommend, ab, schema, missing, upkeep)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; 0 fine, 1 the thing checked failed, 2 wrong usage, unreadable input or a package that is missing, 130 interrupted."""
    return printing("bench", lambda: _main(arguments))


def _main(arguments: Sequence[str] | None) -> int:
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except UsageError as error:
        print(f"bench: {plain(error)}", file=sys.stderr)
    except KeyboardInterrupt:
        print("bench: interrupted", file=sys.stderr)
        return 130
    except OSError as error:
        if is_of_output(error):
            raise
        print(f"bench: {plain(error.filename2 or error.filename or 'files')}: {error.strerror}", file=sys.stderr)
    except ModuleNotFoundError as error:
        print(f"bench: the package {error.name} is missing: install what pyproject.toml names", file=sys.stderr)
    return 2


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="python -m bench", description=__doc__)
    parser.add_argument("--version", action="version", version=f"targetrl {__version__}")
    add_completion(parser, "bench")
    commands = parser.add_subparsers(metavar="command", required=True)
    for command in COMMANDS:
        about = command.__doc__ or ""
        below = commands.add_parser(command.__name__.rpartition(".")[2], help=about, description=about)
        command.add_arguments(below)
        below.add_argument("-q", "--quiet", action="store_true", help="show no progress, only the result")
        below.set_defaults(run=command.run)
    return parser


if __name__ == "__main__":
    sys.exit(main())
