"""Train a population on all that there is for it: the devices of this process or, under a launcher, those of all ranks."""

from collections.abc import Callable
from contextlib import closing

import torch

from targetrl_core.checkpoint.folder import Kept
from targetrl_core.errors import UsageError
from targetrl_core.sharding.shards import Shard, local_devices, train_shards
from targetrl_core.sharding.world import World
from targetrl_core.streaming import Plan
from targetrl_core.summary import Summary

Tell = Callable[[int], None]
"""Is told, again and again, how many policies have been trained."""


def train_everywhere(  # noqa: PLR0913 — who, where, what and how long
    plan_on: Callable[[torch.device], Plan], device: str, world: World, tell: Tell, *, kept: Kept | None, patience_seconds: float
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


def _trained(shards: list[Shard], kept: Kept | None, tell: Tell) -> tuple[Summary, bool]:
    summary = shards[0].plan.nothing()
    try:
        with closing(train_shards(shards, kept)) as summaries:
            for summary in summaries:
                tell(summary.policies)
    except KeyboardInterrupt:
        return summary, False
    return summary, True
