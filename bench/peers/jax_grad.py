"""`jax-grad`: one policy's loss under jax.grad, the population by vmap, all steps in one loop of XLA: as users of jax write it first."""

from typing import Any

from bench.peers.jax_loop import looped
from targetrl_core import Variant

UNROLL = {"cpu": 5, "cuda": 50}
"""Steps in one body of the loop. On two cores of an AMD EPYC among the best of ``python -m bench peers`` at both sizes:
5 to 25 differ little more than from run to run. On CUDA, where a body is few kernels however long it is, not measured yet."""


def unrolled(name: str, unroll: dict[str, int]) -> Variant:
    """The peer with so many steps in one body of its loop, by kind of device."""
    return looped(name, unroll, _step, parts_moments=True)


def _step() -> Any:  # noqa: ANN401 — a type of a module that imports jax
    from bench.peers.xla.gradient import by_gradient

    return by_gradient


JAX_GRAD = unrolled("jax-grad", UNROLL)
