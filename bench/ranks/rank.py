"""One rank of a job: trains its slice whenever it is told to. Started by ``job.py``; ``python -m bench.ranks.rank``."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import torch
from msgspec import Struct

from targetrl_core import Problem, Summary
from targetrl_core.devices import find_device, synchronized_clock
from targetrl_core.sharding.group import Group, joined
from targetrl_core.sharding.shards import Shard
from targetrl_core.sharding.world import World, this_world
from targetrl_core.streaming import plan

PATIENCE_SECONDS = 300.0


class RankTask(Struct, frozen=True, kw_only=True):
    """What the ranks train together, each on as many threads: the first line that a rank reads, as JSON."""

    policies: int
    steps: int
    objective: str = "detached"
    arithmetic: str = "native"
    variant: str = "auto"
    device: str = "cpu"
    threads: int = 1


class Answer(Struct, frozen=True, kw_only=True):
    """What a rank says of a round: seconds of its own slice, seconds until the sum was there, and the checksum of all."""

    own_seconds: float
    sum_seconds: float
    own_policies: int
    checksum: int


def main() -> int:
    """Answer a line for each line that comes in, once the first has said what is trained."""
    task = msgspec.json.decode(sys.stdin.readline(), type=RankTask)
    world = this_world()
    with _group(world, task.device) as group:
        torch.set_num_threads(task.threads)
        shard = _shard(task, world, find_device(task.device) if group is None else group.device)
        if group is not None:
            group.agree(shard.plan)
        _train(shard, range(shard.span.start, min(shard.span.stop, shard.span.start + shard.plan.chunk)))  # builds the kernel
        print("ready", flush=True)
        for _ in sys.stdin:
            print(msgspec.json.encode(_round(shard, group)).decode(), flush=True)
    return 0


@contextmanager
def _group(world: World, device: str) -> Iterator[Group | None]:
    if world.size == 1:
        yield None
        return
    with joined(world, device, PATIENCE_SECONDS) as group:
        group.pulse.working = False  # nobody knows when the next round is
        yield group
        group.leave()


def _shard(task: RankTask, world: World, device: torch.device) -> Shard:
    problem = Problem(objective=task.objective, arithmetic=task.arithmetic, steps=task.steps)  # type: ignore[arg-type] # Problem checks them
    return Shard(plan(problem, task.policies, variant=task.variant, device=device), world.rank, world.size)


def _train(shard: Shard, span: range) -> Summary:
    summary = shard.plan.nothing()
    for summary in shard.plan.train(span):  # noqa: B007 — the last one is returned
        pass
    return summary


def _round(shard: Shard, group: Group | None) -> Answer:
    begun = synchronized_clock()
    summary = _train(shard, shard.span)
    trained = synchronized_clock()
    total = summary if group is None else group.total(summary)
    ended = synchronized_clock()
    return Answer(own_seconds=trained - begun, sum_seconds=ended - trained, own_policies=summary.policies, checksum=total.checksum)


if __name__ == "__main__":
    sys.exit(main())
