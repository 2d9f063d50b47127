"""The shards of this process: a plan, a slice and a thread for each of its devices."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import reduce
from queue import SimpleQueue
from threading import Event, Thread
from typing import NamedTuple, TypeAlias

import torch

from targetrl_core.checkpoint.folder import Kept, resumed
from targetrl_core.devices import find_device
from targetrl_core.streaming import ALIGNED, Plan
from targetrl_core.summary import Summary

_Drawn: TypeAlias = tuple[int, Summary | BaseException | None]


class Shard(NamedTuple):
    """One of the slices that a population is cut into, and what trains it."""

    plan: Plan
    number: int
    of: int

    @property
    def span(self) -> range:
        """Its policies."""
        return slice_of(self.plan.n, self.number, self.of)

    def train(self, kept: Kept | None) -> Generator[Summary, None, None]:
        """Train it, from its newest checkpoint on where checkpoints are kept; first the summary of what has been trained before."""
        if kept is not None:
            yield from resumed(self.plan, self.span, kept, self.number, self.of)
            return
        yield self.plan.nothing()
        yield from self.plan.train(self.span)


def slice_of(n: int, shard: int, shards: int) -> range:
    """The policies of a shard: as equal as can be, from a multiple of ``ALIGNED`` on; of a small population some may be empty."""
    blocks = -(-n // ALIGNED)
    start, stop = (min(blocks * edge // shards * ALIGNED, n) for edge in (shard, shard + 1))
    return range(start, stop)


def train_shards(shards: list[Shard], kept: Kept | None) -> Generator[Summary, None, None]:
    """Train the shards of a process side by side; after each chunk of any, the sum of all."""
    device = shards[0].plan.device
    name = str(device) if len(shards) == 1 else f"{len(shards)} × {device.type}"
    with closing(together([shard.train(kept) for shard in shards])) as summaries:
        for summary in summaries:
            yield replace(summary, device=name)


def together(streams: Sequence[Generator[Summary, None, None]]) -> Generator[Summary, None, None]:
    """Draw from streams of different policies at once; after each chunk of any, the sum of all. What one raises ends them all."""
    if len(streams) == 1:
        yield from streams[0]
        return
    results: SimpleQueue[_Drawn] = SimpleQueue()
    over = Event()
    threads = [Thread(target=_draw, args=(place, summaries, results, over)) for place, summaries in enumerate(streams)]
    for thread in threads:
        thread.start()
    try:
        yield from _sums(len(streams), results)
    finally:
        over.set()
        for thread in threads:
            thread.join()


def _draw(place: int, summaries: Generator[Summary, None, None], results: "SimpleQueue[_Drawn]", over: Event) -> None:
    try:
        with closing(summaries):
            for summary in summaries:
                results.put((place, summary))
                if over.is_set():
                    break
        results.put((place, None))
    except BaseException as error:  # noqa: BLE001 — it is raised where the sum is made
        results.put((place, error))


def _sums(streams: int, results: "SimpleQueue[_Drawn]") -> Iterator[Summary]:
    latest: dict[int, Summary] = {}
    while streams:
        place, what = results.get()
        if isinstance(what, BaseException):
            raise what
        if what is None:
            streams -= 1
        else:
            latest[place] = what
            yield reduce(Summary.plus, latest.values())


def local_devices(name: str) -> list[torch.device]:
    """The devices of that name here: of ``cuda`` all GPUs, of any other name one."""
    device = find_device(name)
    if str(device) != "cuda":
        return [device]
    return [torch.device("cuda", index) for index in range(torch.cuda.device_count())]
