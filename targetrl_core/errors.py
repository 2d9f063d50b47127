"""The one exception that the package raises for a mistake of its user, packages that are missing among them, and how faults are told."""

import errno
import os
from collections.abc import Iterable
from importlib.util import find_spec

_NAMES = ("ENOSPC", "EDQUOT", "EROFS", "EACCES", "ENOMEM")
SYSTEM_ERRORS = tuple(os.strerror(getattr(errno, name)) for name in _NAMES if hasattr(errno, name))
"""What a system says where a folder is full or closed, or memory is short: the cause of whatever else a compiler complains of."""


class UsageError(ValueError):
    """A value that cannot be used: names the culprit and what is allowed, in one line, whatever the value holds."""

    def __str__(self) -> str:
        return one_line(super().__str__())


class Fault(str):
    """Why something cannot run that could, were this machine in order: told where ``auto`` passes over a variant for it."""

    __slots__ = ()


class FallbackWarning(RuntimeWarning):
    """``auto`` passed over a faster variant for a fault of this machine: which and why, and what trains instead."""


def complaint(output: str) -> str:
    """The line of a compiler's output that names the cause: the system's error, else the first that is called one, else the first."""
    lines = [line.strip() for line in output.splitlines() if line.strip()] or ["no message"]
    candidates = (line for marks in (SYSTEM_ERRORS, ("error",)) for line in lines if any(mark in line for mark in marks))
    return one_line(next(candidates, lines[0]))[:500]


def one_line(text: object) -> str:
    """Text in one line that moves no cursor and turns no direction: whatever is no printable character is a space."""
    return "".join(character if character.isprintable() else " " for character in str(text))


def kind_and_message(error: BaseException) -> str:
    """What any error says, in one line that is not too long: another package may raise anything."""
    return one_line(f"{type(error).__name__}: {' '.join(str(error).split())}")[:500]


def one_of(names: Iterable[str]) -> str:
    """Allowed names, as every message spells them."""
    return ", ".join(names)


def require_extra(extra: str, *packages: str) -> None:
    """Raise UsageError, which names the optional extra, where one of its packages is not installed: before the work begins."""
    for package in packages:
        if find_spec(package) is None:
            raise UsageError(f"{package} is not installed: pip install 'targetrl[{extra}]'")
