"""What the peers of jax have in common that loop over steps: where they run, and how they are made for a number of steps in one body."""

from collections.abc import Callable
from typing import Any

import torch

from bench.peers.requirements import missing_jax, unsuitable
from targetrl_core import Problem, Variant
from targetrl_core.variants import Train


def looped(name: str, unroll: dict[str, int], step: Callable[[], Any], *, parts_moments: bool = False) -> Variant:
    """A peer with so many steps in one body of its loop, by kind of device.

    Args:
        name: what it is called.
        unroll: steps in one body, by kind of device.
        step: imports jax, and gives the step as ``xla.loop`` takes it.
        parts_moments: whether weight and bias have moments of their own also where x = 1.
    """

    def unsupported(problem: Problem, device: torch.device, _n: int) -> str | None:
        return unsuitable(name, problem, device, ("cpu", "cuda")) or missing_jax(device)

    def prepare(problem: Problem, device: torch.device, n: int) -> Train:
        from bench.peers.xla.loop import Loop
        from bench.peers.xla.run import prepared

        loop = Loop(step(), problem.steps, unroll[device.type])
        return prepared(loop.train, problem, device, n, parts_moments=parts_moments)

    return Variant(name, unsupported, prepare)
