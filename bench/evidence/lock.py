"""One run at a time writes into a folder of results."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from targetrl_core.errors import UsageError

NAME = ".lock"


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder, which is made where it is missing; the system lets go of it when the process ends, however it ends.

    Nothing stays behind: neither the lock's file nor, if nothing was written, the folder.

    Raises:
        UsageError: another run holds it. Two runs would also disturb each other's times.
    """
    made = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / NAME)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise UsageError(f"{folder}: another run writes there; wait for its end, or name another folder") from None
    try:
        yield
    finally:
        if os.name != "nt":  # where a file that is open cannot be removed, filelock does so itself
            (folder / NAME).unlink(missing_ok=True)
        lock.release()
        if made:
            with suppress(OSError):
                folder.rmdir()
