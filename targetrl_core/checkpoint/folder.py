"""The checkpoints of a shard, and the stream that begins where the newest ends and leaves others behind.

They are two files that take turns, so that one is whole whatever happens to the other, and a lock.
"""

import os
import re
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock, Timeout

from targetrl_core.checkpoint.content import DamagedError, encode, read
from targetrl_core.errors import UsageError
from targetrl_core.files import replacing
from targetrl_core.streaming import Plan, Summary

NAME = re.compile(r"\.?shard-(\d+)-of-(\d+)([-.].*)?")
"""The files of shard i of n: ``shard-0-of-1-a.json``, ``…-b.json``, ``shard-0-of-1.lock``; and one that is being written."""


class Kept(NamedTuple):
    """Where checkpoints are kept, whether to go on from what is there, how many seconds pass between two, and who is told of damage."""

    folder: Path
    resume: bool
    every_seconds: float
    tell: Callable[[str], None]


@dataclass
class Folder:
    """The checkpoints of one shard: the file that is overwritten next comes first."""

    turns: list[Path]

    def newest(self, plan: Plan, span: range, tell: Callable[[str], None]) -> Summary | None:
        """The checkpoint that is furthest; one damaged file is passed over, which is told in a line, and overwritten next.

        Raises:
            UsageError: there are checkpoints, and none can be read; or one is of another run.
        """
        summaries: dict[Path, Summary] = {}
        damaged: list[DamagedError] = []
        for path in self.turns:
            try:
                summary = read(path, plan, span)
            except DamagedError as error:
                damaged.append(error)
                continue
            if summary is not None:
                summaries[path] = summary
        if damaged and not summaries:
            raise UsageError(f"{damaged[0]}; no older one is whole: begin again in an empty folder")
        for damage in damaged:
            tell(f"{damage}: going on from the checkpoint before it")
        self.turns.sort(key=lambda path: summaries[path].policies if path in summaries else -1)
        return summaries[self.turns[-1]] if summaries else None

    def save(self, plan: Plan, span: range, summary: Summary) -> None:
        """Write a checkpoint over the older one. It is on the disk when this returns.

        Raises:
            UsageError: it cannot be written; the newer one is whole.
        """
        path = self.turns[0]
        try:
            _write(path, encode(plan, span, summary))
        except OSError as error:
            raise UsageError(f"{path}: {error.strerror}; the checkpoint before it is whole: mend that and go on with --resume") from error
        self.turns.reverse()


@contextmanager
def opened(folder: Path, shard: int, shards: int, *, resume: bool) -> Iterator[Folder]:
    """The checkpoints of shard ``shard`` of ``shards`` in a folder, which is made where there is none, for this process alone.

    Raises:
        UsageError: another process is at work there; the folder holds what would be lost without ``resume``, shards of another
            number, or cannot be used.
    """
    name = f"shard-{shard}-of-{shards}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / f"{name}.lock", timeout=0)
        lock.acquire()
    except Timeout as error:
        raise UsageError(f"{folder}: another run is at work there; wait for it, or name another folder") from error
    except (OSError, NotImplementedError) as error:
        raise UsageError(f"{folder}: {getattr(error, 'strerror', None) or error}; --checkpoint must name a folder to write in") from error
    with lock:
        _check(folder, shard, shards, resume=resume)
        for left in folder.glob(f".{name}-*"):  # half of a file, from a process that was killed
            left.unlink()
        yield Folder([folder / f"{name}-{turn}.json" for turn in "ab"])


def resumed(plan: Plan, span: range, kept: Kept, shard: int = 0, shards: int = 1) -> Generator[Summary, None, None]:
    """Train a span from its newest checkpoint on: first the summary of what has been trained before, then, after each chunk, of all so far.

    However it ends, by its own or not, the last summary is kept if there is a way to; killed, it loses what has been trained since the
    last one that was kept.

    Raises:
        UsageError: (when it is drawn from) as ``opened``, ``Folder.newest`` and ``Folder.save``.
    """
    with opened(kept.folder, shard, shards, resume=kept.resume) as folder:
        before = folder.newest(plan, span, kept.tell)
        total = before or plan.nothing()
        for _ in range(1 if before else 2):  # from the first moment on there are two; and whether they can be written shows now
            folder.save(plan, span, total)
        saved, at = total, time.monotonic()
        try:
            yield total
            for summary in plan.train(span, total):
                total = summary
                if time.monotonic() - at >= kept.every_seconds:
                    saved = total
                    folder.save(plan, span, total)
                    at = time.monotonic()
                yield total
        finally:
            if total is not saved:
                folder.save(plan, span, total)


def _check(folder: Path, shard: int, shards: int, *, resume: bool) -> None:
    for name in sorted(path.name for path in folder.iterdir()):
        known = NAME.fullmatch(name)
        if known is None and not resume:
            raise UsageError(f"{folder}: {name} is there; without --resume it must be an empty folder")
        if known is None or name.endswith(".lock"):
            continue
        if int(known[2]) != shards:
            raise UsageError(f"{folder}: {name} is there, one of {known[2]} shards, and this run has {shards}")
        if int(known[1]) == shard and not resume and not name.startswith("."):
            raise UsageError(f"{folder}: {name} is there; go on from it with --resume, or name an empty folder")


def _write(path: Path, content: bytes) -> None:
    """Write a file beside its place and move it there, each step on the disk before the next one."""
    with replacing(path) as new:
        new.write_bytes(content)
    if hasattr(os, "O_DIRECTORY"):  # elsewhere a folder cannot be opened
        place = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(place)
        finally:
            os.close(place)
