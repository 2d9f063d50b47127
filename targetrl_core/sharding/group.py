"""A group: the ranks of a world that have met, have one plan, and add up what became of their policies."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import msgspec
import torch
from torch import Tensor
from torch import distributed as dist
from torch.distributed.distributed_c10d import PrefixStore, Store

from targetrl_core.devices import cores, find_device
from targetrl_core.errors import UsageError
from targetrl_core.listing.outcomes import Outcomes
from targetrl_core.sharding import pulse
from targetrl_core.sharding.pulse import Pulse
from targetrl_core.sharding.world import World
from targetrl_core.streaming import BINS, Plan, Summary, require_equal

JOIN_SECONDS = 120.0
"""How long ranks wait until all of them have come."""


@dataclass
class Group:
    """The ranks together. ``store`` is where they meet, and ``device`` what this one trains on."""

    world: World
    device: torch.device
    store: Store
    pulse: Pulse
    totals: int = 0

    def agree(self, plan: Plan) -> None:
        """Raise UsageError where this rank's plan is not rank 0's; and try whether sums can be made, before hours of work."""
        self.store.set(f"plan/{self.world.rank}", msgspec.json.encode(plan.facts()).decode())
        require_equal("rank 0's ", msgspec.json.decode(self.store.get("plan/0")), plan.facts())
        self.total(plan.nothing())

    def total(self, summary: Summary) -> Summary:
        """The sum of all ranks' summaries, once all have come to this; the one reduction."""
        working, self.pulse.working = self.pulse.working, False
        self._wait_for_all()
        words = _words(summary).to(self.device if self.device.type == "cuda" else "cpu")
        dist.all_reduce(words)
        self.pulse.working = working
        return _summary(words.tolist(), summary, f"{self.world.size} × {self.device.type}")

    def _wait_for_all(self) -> None:
        """However long that takes: the pulse ends this where one is lost."""
        self.totals += 1
        done = f"done/{self.totals}"
        if self.store.add(f"{done}/ranks", 1) == self.world.size:
            self.store.set(done, "")
        while not _comes_true(lambda: self.store.wait([done], timedelta(seconds=1))):
            pass

    def leave(self) -> None:
        """Go, when all is done; rank 0 goes last, as the others may meet in it."""
        self.pulse.stop()
        self.store.set(f"left/{self.world.rank}", "")
        if self.world.rank == 0:
            everyone = [f"left/{rank}" for rank in range(self.world.size)]
            _comes_true(lambda: self.store.wait(everyone, timedelta(seconds=pulse.LOST_SECONDS)))


@contextmanager
def joined(world: World, device: str, patience_seconds: float) -> Iterator[Group]:
    """Meet the other ranks, and stay with them. gloo adds up on CPUs, nccl on GPUs, one rank to each.

    Whatever is raised within ends all ranks; the first of them raises it, the others end without a word.

    Raises:
        UsageError: the ranks cannot meet, naming who is missing; or the device is not here.
    """
    store = _store(world)
    beating = Pulse(world, _store(world, host=False), patience_seconds)
    try:
        beating.beat()
        _meet(world, store)
        beating.begin()
        place = _own_device(world, device)
        _init(world, place, store, patience_seconds)
        group = Group(world, place, store, beating)
        yield group
    except UsageError as error:
        if beating.claim_end():
            raise UsageError(f"{world.name}: {error}") from error
        raise SystemExit(pulse.FAILED) from error
    except KeyboardInterrupt:  # the others have been told, too
        raise
    except BaseException:
        beating.claim_end()
        raise
    finally:
        beating.stop()
        if dist.is_initialized():
            dist.destroy_process_group()


def _own_device(world: World, name: str) -> torch.device:
    """The device of this rank: of GPUs the one with its number on this host; of the CPU its share of the cores."""
    place = find_device(f"cuda:{world.local_rank}" if name == "cuda" else name)
    if place.type == "cuda":
        torch.cuda.set_device(place)
    elif os.environ.get("OMP_NUM_THREADS", "1") == "1":  # torchrun sets 1 where nothing is set
        torch.set_num_threads(max(1, cores() // world.local_size))
    return place


def _store(world: World, *, host: bool = True) -> Store:
    """A connection to where the ranks meet: in torchrun itself or, where something else has started them, in rank 0."""
    hosts = host and world.rank == 0 and os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True"
    wait = timedelta(seconds=JOIN_SECONDS)
    try:
        store = dist.TCPStore(  # type: ignore[attr-defined] # torch has it, its types do not tell
            world.host, world.port, None, hosts, wait, wait_for_workers=False, use_libuv=sys.platform != "win32"
        )
    except RuntimeError as error:
        place = f"{world.host}:{world.port}"
        raise UsageError(f"{world.name}: {place}, where the ranks meet, cannot be reached within {JOIN_SECONDS:g} s") from error
    return PrefixStore("targetrl", store)


def _meet(world: World, store: Store) -> None:
    store.set(f"here/{world.rank}", "")
    everyone, until = [f"here/{rank}" for rank in range(world.size)], time.monotonic() + JOIN_SECONDS
    while not store.check(everyone):
        if time.monotonic() > until:
            missing = ", ".join(str(rank) for rank, key in enumerate(everyone) if not store.check([key]))
            raise UsageError(f"rank {missing} of {world.size} has not come within {JOIN_SECONDS:g} s")
        time.sleep(0.05)


def _init(world: World, device: torch.device, store: Store, patience_seconds: float) -> None:
    on_gpu = device.type == "cuda"
    try:
        dist.init_process_group(
            "nccl" if on_gpu else "gloo",
            store=PrefixStore("group", store),
            rank=world.rank,
            world_size=world.size,
            timeout=timedelta(seconds=patience_seconds),
            device_id=device if on_gpu else None,
        )
    except RuntimeError as error:
        raise UsageError(f"{device}: the ranks cannot be connected: {str(error).partition(chr(10))[0]}") from error


def _comes_true(wait: Callable[[], None]) -> bool:
    try:
        wait()
    except dist.DistStoreError:
        return False
    return True


HALF = 2**32


def _words(summary: Summary) -> Tensor:
    """All that adds up, [words] int64; the checksum in two halves, so that no sum overflows."""
    halves = divmod(summary.checksum, HALF)
    counts = torch.tensor([summary.policies, *halves, *summary.outcomes], dtype=torch.int64, device="cpu")
    return torch.cat((counts, summary.histogram, summary.first_steps))


def _summary(words: list[int], like: Summary, device: str) -> Summary:
    policies, high, low = words[:3]
    outcomes, rest = words[3 : 3 + len(Outcomes._fields)], torch.tensor(words[3 + len(Outcomes._fields) :], dtype=torch.int64, device="cpu")
    checksum = (high * HALF + low) % 2**64
    return Summary(like.problem, like.variant, device, policies, Outcomes(*outcomes), rest[:BINS], rest[BINS:], checksum)
