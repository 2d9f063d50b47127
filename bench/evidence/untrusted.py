"""What strangers' files may do: be read, whole, as text in UTF-8 of a bounded size, and be quoted in one line. Imports no torch."""

import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from targetrl_core.errors import UsageError, one_line

Decoded = TypeVar("Decoded")

SIZE_LIMIT = 64 * 2**20
"""Largest file that is read, in bytes: some hundred times what a run writes."""

TOTAL_LIMIT = 256 * 2**20
"""Most that a command reads of all its files together."""

LONGEST = 300
"""Characters of a message that quotes a file."""

REGULAR_ONLY = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
"""How files are opened: a link is not followed, and a pipe that nobody writes to is not waited for."""


def plain(text: object, longest: int | None = None) -> str:
    """Text in one line, as ``one_line`` makes it.

    Of what is longer than ``longest`` the middle is left out: a message ends with the path of the field.
    """
    shown = one_line(text)
    if longest is None or len(shown) <= longest:
        return shown
    return f"{shown[: longest // 2]} … {shown[-(longest // 2) :]}"


def content(path: Path) -> str:
    """The text of a file.

    Raises:
        UsageError: it is no regular file, too large, or not UTF-8, naming the file.
    """
    name = plain(path.name)
    try:
        with os.fdopen(os.open(path, REGULAR_ONLY), "rb") as file:
            _check_kind(name, os.fstat(file.fileno()))
            read = file.read(SIZE_LIMIT + 1)  # it may have grown
    except OSError as error:
        raise UsageError(f"{name}: {'it is a link; name the file itself' if path.is_symlink() else error.strerror}") from error
    if len(read) > SIZE_LIMIT:
        raise UsageError(f"{name}: it must be at most {SIZE_LIMIT:,} bytes")
    try:
        return read.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{name}: byte {error.start:,} is not UTF-8") from error


def _check_kind(name: str, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise UsageError(f"{name}: it must be a regular file")
    if status.st_size > SIZE_LIMIT:
        raise UsageError(f"{name}: {status.st_size:,} bytes; it must be at most {SIZE_LIMIT:,}")


@contextmanager
def refused(path: Path) -> Iterator[None]:
    """Turn whatever a reader of JSON raises of a file into a UsageError that names the file; such errors are ValueErrors."""
    try:
        yield
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{plain(path.name)}: {plain(error, LONGEST)}") from error


def decoded(path: Path, kind: type[Decoded]) -> Decoded:
    """What a JSON file holds, if it is of a kind that msgspec knows to check.

    Raises:
        UsageError: it is not, or cannot be read, naming the file and the field.
    """
    import msgspec  # what quotes text needs none of it

    text = content(path)
    with refused(path):
        check_keys(text)
        return msgspec.json.decode(text, type=kind)


def check_total(paths: list[Path]) -> None:
    """Raise UsageError where files are too large together to be read by one command; one that is not there counts nothing."""
    total = sum(path.lstat().st_size for path in paths if path.exists())
    if total > TOTAL_LIMIT:
        raise UsageError(f"{len(paths):,} files of {total:,} bytes together; they must be at most {TOTAL_LIMIT:,}")


def check_keys(text: str) -> None:
    """Raise ValueError where an object of a JSON text has a key twice: readers differ in which of the two they take."""
    # Numbers stay text: some are too long for Python, and none is looked at.
    json.loads(text, object_pairs_hook=_unique, parse_int=str, parse_float=str)


def _unique(pairs: list[tuple[str, Any]]) -> None:
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            raise ValueError(f"the key {key!r} stands twice in one object")
        seen.add(key)
