"""The peers of jax: `jax-scan` and `jax-grad`, all steps of a population in one loop of XLA, and `jax-pallas`, a kernel for CUDA.

`jax-scan` takes the closed-form step on population arrays, moments shared where x = 1. `jax-grad` takes one policy's loss under jax.grad
and the population by vmap, as users of jax write it first. XLA computes on all cores: its pool of threads is made when jax starts, from the
cores that the process may use (``taskset`` limits them), so both are to be measured where torch has as many. `jax-pallas` takes the closed
form too, all steps of a block of policies in registers.
"""

from collections.abc import Collection

import torch

from bench.peers.requirements import missing_jax, unsuitable
from targetrl_core import Problem, Variant
from targetrl_core.variants import Train

UNROLL = {"jax-scan": {"cpu": 10, "cuda": 50}, "jax-grad": {"cpu": 5, "cuda": 50}}
"""Steps in one body of the loop, by kind of device. By ``pytest --benchmark-only --peers -k jax``, with other numbers here, on two cores of
an AMD EPYC, of a million policies: `jax-scan` comes to 1.14 G policy-steps per second with 10, to 0.97 G with 1, and 2 to 50 differ little
more than from run to run; `jax-grad` to 503 M with 5, to 406 M with 1, and 5 to 50 differ as little. On CUDA, where a body is few kernels
however long it is, not measured yet."""


def looped(name: str) -> Variant:
    """One of the first two."""

    def unsupported(problem: Problem, device: torch.device, _n: int) -> str | None:
        return unsuitable(name, problem, device, ("cpu", "cuda")) or missing_jax(device)

    def prepare(problem: Problem, device: torch.device, n: int) -> Train:
        from bench.peers.xla.loop import loop
        from bench.peers.xla.run import prepared
        from bench.peers.xla.step import by_gradient, closed_form

        advance = loop(by_gradient if name == "jax-grad" else closed_form, problem.steps, UNROLL[name][device.type])
        return prepared(advance, problem, device, n, parts_moments=name == "jax-grad")

    return Variant(name, unsupported, prepare)


def pallas_on(devices: Collection[str], *, interpret: bool) -> Variant:
    """The peer on some kinds of device; ``interpret`` has jax compute what the kernel would, to test it without a GPU."""

    def unsupported(problem: Problem, device: torch.device, _n: int) -> str | None:
        return unsuitable("jax-pallas", problem, device, devices) or missing_jax(device)

    def prepare(problem: Problem, device: torch.device, n: int) -> Train:
        from bench.peers.xla.kernel import pallas_kernel
        from bench.peers.xla.run import prepared

        return prepared(pallas_kernel(problem.steps, interpret=interpret), problem, device, n)

    return Variant("jax-pallas", unsupported, prepare)


JAX_SCAN, JAX_GRAD = looped("jax-scan"), looped("jax-grad")
JAX_PALLAS = pallas_on(("cuda",), interpret=False)
