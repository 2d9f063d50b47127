"""Writing files: whole or not at all, and only where that can be done."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from targetrl_core.errors import UsageError

PERMISSIONS = 0o644


def check_writable(folder: Path) -> None:
    """Raise UsageError where no file can be written in a folder, or in the first one above it that is there; leaves nothing behind."""
    place = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        raise UsageError(f"{place}: {error.strerror}; it must be a folder that can be written") from error


def check_file(option: str, path: Path) -> None:
    """Raise UsageError unless a file can be written at ``path``, which ``option`` gives."""
    if path.is_dir():
        raise UsageError(f"{option} is {str(path)!r}; it must be a file, and is a folder")
    check_writable(path.parent)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A new file beside ``path``, to be written, that takes its place in one step; an interruption leaves the old file whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    new = Path(name)
    try:
        yield new
        with new.open("r+b") as file:
            os.fsync(file.fileno())
        new.chmod(PERMISSIONS)
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """``replacing``, for a command's own files: raises UsageError, which names the file, where it cannot be written."""
    try:
        with replacing(path) as new:
            yield new
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else str(error)
        raise UsageError(f"{path} could not be written: {why}") from error


def write(path: Path, content: bytes) -> None:
    """Write a command's own file, as ``writing``."""
    with writing(path) as new:
        new.write_bytes(content)
