"""Writing evidence: where, whole or not at all, and one run at a time."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from targetrl_core.errors import UsageError
from targetrl_core.files import replacing

ROOT = Path(__file__).resolve().parents[2]
"""The checkout."""

RESULTS = ROOT / "results"
"""The project's own evidence, which whole runs of the suites alone write."""

LOCK = ".lock"


def write_atomically(path: Path, text: str) -> None:
    """Write ``text`` beside ``path`` and move it there in one step; an interruption leaves the old file whole."""
    with replacing(path) as new:
        new.write_text(text, encoding="utf-8", newline="\n")


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder, which is made where it is missing; the system lets go of it when the process ends, however it ends.

    Nothing stays behind: neither the lock's file nor, if nothing was written, the folder.

    Raises:
        UsageError: another run holds it. Two runs would also disturb each other's times.
    """
    from filelock import FileLock, Timeout  # who reads evidence needs none of it

    made = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise UsageError(f"{folder}: another run writes there; wait for its end, or name another folder") from None
    try:
        yield
    finally:
        if os.name != "nt":  # where a file that is open cannot be removed, filelock does so itself
            (folder / LOCK).unlink(missing_ok=True)
        lock.release()
        if made:
            with suppress(OSError):
                folder.rmdir()
