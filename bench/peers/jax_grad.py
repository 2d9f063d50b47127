"""`jax-grad`: one policy's loss under jax.grad, the population by vmap, all steps in one loop of XLA: as users of jax write it first."""

import torch

from bench.peers.requirements import missing_jax, unsuitable
from targetrl_core import Problem, Variant
from targetrl_core.variants import Train

UNROLL = {"cpu": 5, "cuda": 50}
"""Steps in one body of the loop. On the CPU the best of ``python -m bench peers`` on two cores of an AMD EPYC; on CUDA, where a body is
few kernels however long it is, not measured yet."""


def unsupported(problem: Problem, device: torch.device, _n: int) -> str | None:
    """Runs where jax does."""
    return unsuitable("jax-grad", problem, device, ("cpu", "cuda")) or missing_jax(device)


def unrolled(name: str, unroll: dict[str, int]) -> Variant:
    """The peer with so many steps in one body of its loop, by kind of device."""

    def prepare(problem: Problem, device: torch.device, n: int) -> Train:
        from bench.peers.xla.gradient import by_gradient
        from bench.peers.xla.loop import Loop
        from bench.peers.xla.run import prepared

        return prepared(Loop(by_gradient, problem.steps, unroll[device.type]).train, problem, device, n, parts_moments=True)

    return Variant(name, unsupported, prepare)


JAX_GRAD = unrolled("jax-grad", UNROLL)
