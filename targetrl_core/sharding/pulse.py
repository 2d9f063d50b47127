"""The pulse of a world: a rank that dies, stops or hangs ends the job within a known time, by an error that names it."""

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import NamedTuple

from torch.distributed.distributed_c10d import Store

from targetrl_core.sharding.world import World

BEAT_SECONDS = 0.5
"""How often a rank says that it is there."""

LOST_SECONDS = 10.0
"""A rank that has not been heard of for as long is lost: dead, stopped, or cut off."""

PATIENCE_SECONDS = 300.0
"""How long a rank may take for a chunk, compiling included, by default."""

FAILED = 1
"""Exit code of a rank that ends because another one has."""


class _Heard(NamedTuple):
    """What a rank has said last, and when that, and what it had trained, was new."""

    beat: int
    trained: int
    working: bool
    beat_at: float
    trained_at: float


@dataclass
class Pulse:
    """Says that this rank is there and how far it is, and watches others: rank 0 all of them, the others rank 0.

    One thread talks and may be kept waiting, another judges and never is. ``store`` is a connection for these alone.

    Attributes:
        trained: how many policies this rank has trained; whoever trains them says so here.
        working: whether it has some left; without, it is not asked to come on.
    """

    world: World
    store: Store
    patience_seconds: float = PATIENCE_SECONDS
    trained: int = 0
    working: bool = True
    _beat: int = 0
    _heard: dict[int, _Heard] = field(default_factory=dict)
    _answered: float = field(default_factory=time.monotonic)
    _gone: bool = False
    _ended: bool = False
    _over: Event = field(default_factory=Event)

    def begin(self) -> None:
        """Watch, once every rank has beaten: ``beat`` comes first."""
        self._answered = time.monotonic()
        for act in (self._talk, self._judge):
            Thread(target=self._repeat, args=(act,), daemon=True).start()

    def stop(self) -> None:
        """Neither watch nor be watched any longer."""
        self._over.set()

    def beat(self) -> None:
        """Say that this rank is there."""
        self._beat += 1
        self.store.set(f"pulse/{self.world.rank}", f"{self._beat} {self.trained} {int(self.working)}")

    def trained_by_all(self) -> int:
        """How many policies the ranks that this one watches, and it itself, have trained."""
        return self.trained + sum(heard.trained for heard in list(self._heard.values()))

    def claim_end(self) -> bool:
        """Let all ranks end; whether this one is the first to say so, and hence has to say why."""
        self.stop()
        if self._gone or time.monotonic() - self._answered > LOST_SECONDS:  # nobody else can be asked: that might never return
            return True
        try:
            return self.store.add("ended", 1) == 1
        except RuntimeError:
            return True

    def _repeat(self, act: Callable[[], None]) -> None:
        while not self._over.wait(BEAT_SECONDS):
            act()

    def _talk(self) -> None:
        try:
            self.beat()
            watched = [rank for rank in range(self.world.size) if (rank == 0) != (self.world.rank == 0)]
            texts = self.store.multi_get([f"pulse/{rank}" for rank in watched])
            self._ended = self.store.check(["ended"])
        except RuntimeError:
            self._gone = True
            return
        now = time.monotonic()
        for rank, text in zip(watched, texts, strict=True):
            self._heard[rank] = _after(self._heard.get(rank), text, now)
        self._answered = now

    def _judge(self) -> None:
        if self._ended and not self._over.is_set():
            os._exit(FAILED)  # another rank has said why
        reason = self._reason(time.monotonic())
        if reason is not None and not self._over.is_set():
            self._end(reason)

    def _reason(self, now: float) -> str | None:
        """Why the job has to end."""
        size = self.world.size
        place = f"rank 0 of {size}, or the meeting place {self.world.host}:{self.world.port},"
        if self._gone:
            return f"{place} is gone"
        if now - self._answered > LOST_SECONDS:
            return f"{place} has not answered {self.world.name} for {LOST_SECONDS:g} s"
        for rank, heard in list(self._heard.items()):
            if now - heard.beat_at > LOST_SECONDS:
                return f"rank {rank} of {size} has not been heard of for {LOST_SECONDS:g} s: it has died, been stopped or been cut off"
            if heard.working and now - heard.trained_at > self.patience_seconds:
                return f"rank {rank} of {size} has not come on for {self.patience_seconds:g} s, which is more than --patience"
        return None

    def _end(self, reason: str) -> None:
        """End this process, whatever its other threads are waiting for."""
        if self.claim_end():
            print(f"targetrl: {reason}; the job ends", file=sys.stderr, flush=True)  # noqa: T201 — nobody is left to raise it to
        os._exit(FAILED)


def _after(before: _Heard | None, text: bytes, now: float) -> _Heard:
    beat, trained, working = map(int, text.split())
    return _Heard(
        beat,
        trained,
        bool(working),
        beat_at=before.beat_at if before and before.beat == beat else now,
        trained_at=before.trained_at if before and (before.trained, before.working) == (trained, bool(working)) else now,
    )
