"""`jax-scan`: the closed-form step on population arrays under jit, all steps in one loop of XLA, moments shared where x = 1.

XLA computes on all cores: its pool of threads is made when jax starts, from the cores that the process may use (``taskset`` limits them).
So it is to be measured where torch has as many.
"""

from typing import Any

from bench.peers.jax_loop import looped

UNROLL = {"cpu": 10, "cuda": 50}
"""Steps in one body of the loop. By ``pytest --benchmark-only --peers -k jax-scan`` on two cores of an AMD EPYC 10 come to 1.14 G
policy-steps per second of a million policies, 1 to 0.97 G; 2 to 50 differ little more than from run to run. On CUDA, where a body is few
kernels however long it is, not measured yet."""


def _step() -> Any:  # noqa: ANN401 — a type of a module that imports jax
    from bench.peers.xla.step import closed_form

    return closed_form


JAX_SCAN = looped("jax-scan", UNROLL, _step)
