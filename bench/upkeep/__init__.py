"""Run one of the programs that only maintainers need; `upkeep --help` lists them."""

import argparse
from importlib import import_module

from targetrl_core.commands import Command
from targetrl_core.commands.parser import Parser
from targetrl_core.errors import UsageError

PROGRAMS = {
    "bounds": "measure how far honest variants are from the oracle (takes minutes)",
    "docs": "write the pages and pictures of docs/ anew, and the tables that report writes",
    "gpu": "ask a GPU all that is to be known of it, in eight minutes",
    "kills": "kill checkpointed runs at random moments, resume each, and count those that end as an uninterrupted one",
    "power": "plant errors, and find how large one of each kind has to be for the examination to find it (takes minutes)",
    "scaling": "measure how many times as fast several ranks are as one",
    "self-test": "measure how often ab is wrong, and what slowdowns it finds (takes minutes)",
    "soak": "train thousands of times in one process, and see that nothing grows (takes two minutes)",
}
"""What each is for. Only the one that is asked for is imported: most of them need torch."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The program; what follows is its own."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = "programs:\n" + "\n".join(f"  {name:10} {line}" for name, line in PROGRAMS.items())
    parser.add_argument("name", metavar="NAME", choices=list(PROGRAMS), help="one of those below")
    parser.add_argument("arguments", metavar="…", nargs=argparse.REMAINDER, help="what the program takes: NAME --help says it")


def run(options: argparse.Namespace) -> int:
    """Run it; 0 fine, 1 the thing checked failed. Wrong usage raises UsageError."""
    program = program_of(options.name)
    parser = Parser(prog=f"python -m bench upkeep {options.name}", description=program.__doc__)
    program.add_arguments(parser)
    parser.add_argument("-q", "--quiet", action="store_true", default=options.quiet, help="show no progress, only the result")
    return program.run(parser.parse_args(options.arguments))


def program_of(name: str) -> Command:
    """The module of a program."""
    program: Command = import_module(f"{__name__}.{name.replace('-', '_')}")
    return program


def check_whole(name: str, value: float, least: int, most: int) -> None:
    """Raise UsageError where the value of an option is no whole number from ``least`` to ``most``."""
    if not least <= value <= most or value != int(value):
        raise UsageError(f"--{name} is {value}; it must be a whole number from {least:,} to {most:,}")
