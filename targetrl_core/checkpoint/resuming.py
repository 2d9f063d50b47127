"""The stream that begins where its newest checkpoint ends, and leaves checkpoints behind."""

import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import NamedTuple

from targetrl_core.checkpoint.folder import opened
from targetrl_core.streaming import Plan
from targetrl_core.summary import Summary


class Kept(NamedTuple):
    """Where checkpoints are kept, whether to go on from what is there, how many seconds pass between two, and who is told of damage."""

    folder: Path
    resume: bool
    every_seconds: float
    tell: Callable[[str], None]


def resumed(plan: Plan, span: range, kept: Kept, shard: int = 0, shards: int = 1) -> Generator[Summary, None, None]:
    """Train a span from its newest checkpoint on: first the summary of what has been trained before, then, after each chunk, of all so far.

    However it ends, by its own or not, the last summary is kept if there is a way to; killed, it loses what has been trained since the
    last one that was kept.

    Raises:
        UsageError: (when it is drawn from) as ``folder.opened``, ``Folder.newest`` and ``Folder.save``.
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
