"""A population on all that there is for it: a shard, and a thread, for each device of this process or, under a launcher, of each rank."""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import reduce
from queue import SimpleQueue
from threading import Event, Thread
from typing import NamedTuple, TypeAlias

import torch

from targetrl_core.checkpoint.folder import Kept, resumed
from targetrl_core.devices import find_device
from targetrl_core.errors import UsageError
from targetrl_core.sharding.world import World
from targetrl_core.streaming import ALIGNED, Plan, Summary

TellPolicies = Callable[[int], None]
"""Is told, again and again, how many policies have been trained."""

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


def train_everywhere(  # noqa: PLR0913 — who, where, what and how long
    plan_on: Callable[[torch.device], Plan], device: str, world: World, tell: TellPolicies, *, kept: Kept | None, patience_seconds: float
) -> tuple[Summary, bool]:
    """What became of a population, on every rank; interrupted, of those that this process had trained, and False.

    Args:
        plan_on: what is to be trained, on a device.
        device: its name; of ``cuda`` a process on its own takes all GPUs.
        world: who trains it.
        tell: is told of progress.
        kept: where checkpoints are kept, if they are.
        patience_seconds: how long a rank may take for a chunk.

    Raises:
        UsageError: what is asked for cannot be trained, checkpointed or met for; under a launcher one rank raises it for all.
    """
    if world.size == 1:
        devices = local_devices(device)
        return _trained([Shard(plan_on(place), number, len(devices)) for number, place in enumerate(devices)], kept, tell)
    if not torch.distributed.is_available():
        raise UsageError(f"WORLD_SIZE is {world.size}; it must be 1: torch {torch.__version__} is built without torch.distributed")
    from targetrl_core.sharding.group import joined  # needs torch.distributed, which one process does not

    with joined(world, device, patience_seconds) as group:
        shard = Shard(plan_on(group.device), world.rank, world.size)
        group.agree(shard.plan)

        def tell_both(policies: int) -> None:
            group.pulse.trained = policies
            tell(group.pulse.trained_by_all())

        summary, whole = _trained([shard], kept, tell_both)
        if whole:
            summary = group.total(summary)
            group.leave()
    return summary, whole


def _trained(shards: list[Shard], kept: Kept | None, tell: TellPolicies) -> tuple[Summary, bool]:
    summary = shards[0].plan.nothing()
    try:
        with closing(train_shards(shards, kept)) as summaries:
            for summary in summaries:
                tell(summary.policies)
    except KeyboardInterrupt:
        return summary, False
    return summary, True
