"""`jax-grad`: one policy's loss under jax.grad, the population by vmap, all steps in one loop of XLA: as users of jax write it first."""

from typing import Any

from bench.peers.jax_loop import looped

UNROLL = {"cpu": 5, "cuda": 50}
"""Steps in one body of the loop. By ``pytest --benchmark-only --peers -k jax-grad`` on two cores of an AMD EPYC 5 come to 503 M
policy-steps per second of a million policies, 1 to 406 M; 5 to 25 differ little more than from run to run. On CUDA, where a body is few
kernels however long it is, not measured yet."""


def _step() -> Any:  # noqa: ANN401 — a type of a module that imports jax
    from bench.peers.xla.gradient import by_gradient

    return by_gradient


JAX_GRAD = looped("jax-grad", UNROLL, _step, parts_moments=True)
