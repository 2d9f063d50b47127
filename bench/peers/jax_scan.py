"""`jax-scan`: the closed-form step on population arrays under jit, all steps in one loop of XLA, moments shared where x = 1.

XLA computes on all cores: its pool of threads is made when jax starts, from the cores that the process may use (``taskset`` limits them).
So it is to be measured where torch has as many.
"""

from typing import Any

from bench.peers.jax_loop import looped
from targetrl_core import Variant

UNROLL = {"cpu": 10, "cuda": 50}
"""Steps in one body of the loop. On two cores of an AMD EPYC among the best of ``python -m bench peers`` at both sizes:
from 2 on they differ little more than from run to run. On CUDA, where a body is few kernels however long it is, not measured yet."""


def unrolled(name: str, unroll: dict[str, int]) -> Variant:
    """The peer with so many steps in one body of its loop, by kind of device."""
    return looped(name, unroll, _step)


def _step() -> Any:  # noqa: ANN401 — a type of a module that imports jax
    from bench.peers.xla.step import closed_form

    return closed_form


JAX_SCAN = unrolled("jax-scan", UNROLL)
