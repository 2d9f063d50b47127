"""Train a population on all that there is for it: the devices of this process or, under a launcher, those of all ranks."""

from collections.abc import Callable
from contextlib import closing
from typing import NamedTuple

import torch

from targetrl_core.checkpoint.resuming import Kept
from targetrl_core.errors import UsageError
from targetrl_core.problem import Problem
from targetrl_core.sharding.shards import Shard, local_devices, train_shards
from targetrl_core.sharding.world import World
from targetrl_core.streaming import plan
from targetrl_core.summary import Summary

Tell = Callable[[int], None]
"""Is told, again and again, how many policies have been trained."""


class Request(NamedTuple):
    """What is to be trained, by what, and where checkpoints are kept, if they are."""

    problem: Problem
    n: int
    seed: int
    variant: str
    device: str
    kept: Kept | None
    patience_seconds: float

    def shard(self, device: torch.device, number: int, of: int) -> Shard:
        """One of several slices, on a device of its own."""
        return Shard(plan(self.problem, self.n, seed=self.seed, variant=self.variant, device=device), number, of)


def train_everywhere(request: Request, world: World, tell: Tell) -> tuple[Summary, bool]:
    """What became of the population, on every rank; interrupted, of those that this process had trained, and False.

    Raises:
        UsageError: what is asked for cannot be trained, checkpointed or met for; under a launcher one rank raises it for all.
    """
    if world.size > 1:
        return _with_others(request, world, tell)
    devices = local_devices(request.device)
    shards = [request.shard(device, number, len(devices)) for number, device in enumerate(devices)]
    return _trained(shards, request.kept, tell)


def _with_others(request: Request, world: World, tell: Tell) -> tuple[Summary, bool]:
    if not torch.distributed.is_available():
        raise UsageError(f"WORLD_SIZE is {world.size}; it must be 1: torch {torch.__version__} is built without torch.distributed")
    from targetrl_core.sharding.group import joined  # needs torch.distributed, which one process does not

    with joined(world, request.device, request.patience_seconds) as group:
        shard = request.shard(group.device, world.rank, world.size)
        group.agree(shard.plan)

        def tell_both(policies: int) -> None:
            group.pulse.trained = policies
            tell(group.pulse.trained_by_all())

        summary, whole = _trained([shard], request.kept, tell_both)
        if whole:
            summary = group.total(summary)
            group.leave()
    return summary, whole


def _trained(shards: list[Shard], kept: Kept | None, tell: Tell) -> tuple[Summary, bool]:
    summary = shards[0].plan.nothing()
    try:
        with closing(train_shards(shards, kept)) as summaries:
            for summary in summaries:
                tell(summary.policies)
    except KeyboardInterrupt:
        return summary, False
    return summary, True
