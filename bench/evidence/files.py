"""Writing evidence: whole or not at all, and where."""

import os
import tempfile
from pathlib import Path

from targetrl_core.errors import UsageError

RESULTS = Path(__file__).resolve().parent.parent.parent / "results"
"""The project's own evidence, which whole runs of the suites alone write."""


def check_writable(folder: Path) -> None:
    """Raise UsageError where no file can be written in a folder, or in the first one above it that is there; leaves nothing behind."""
    place = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        raise UsageError(f"{place}: {error.strerror}; it must be a folder that can be written") from error


def write_atomically(path: Path, text: str) -> None:
    """Write ``text`` beside ``path`` and move it there in one step; an interruption leaves the old file whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
