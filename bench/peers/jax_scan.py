"""`jax-scan`: the closed-form step on population arrays under jit, all steps in one loop of XLA, moments shared where x = 1.

XLA computes on all cores: its pool of threads is made when jax starts, from the cores that the process may use (``taskset`` limits them).
So it is to be measured where torch has as many.
"""

import torch

from bench.peers.requirements import missing_jax, unsuitable
from targetrl_core import Problem, Variant
from targetrl_core.variants import Train

UNROLL = {"cpu": 10, "cuda": 50}
"""Steps in one body of the loop. On the CPU the best of ``python -m bench peers`` on two cores of an AMD EPYC; on CUDA, where a body is
few kernels however long it is, not measured yet."""


def unsupported(problem: Problem, device: torch.device, _n: int) -> str | None:
    """Runs where jax does."""
    return unsuitable("jax-scan", problem, device, ("cpu", "cuda")) or missing_jax(device)


def unrolled(name: str, unroll: dict[str, int]) -> Variant:
    """The peer with so many steps in one body of its loop, by kind of device."""

    def prepare(problem: Problem, device: torch.device, n: int) -> Train:
        from bench.peers.xla.loop import Loop
        from bench.peers.xla.run import prepared
        from bench.peers.xla.step import closed_form

        return prepared(Loop(closed_form, problem.steps, unroll[device.type]).train, problem, device, n)

    return Variant(name, unsupported, prepare)


JAX_SCAN = unrolled("jax-scan", UNROLL)
