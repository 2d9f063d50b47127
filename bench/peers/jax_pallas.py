"""`jax-pallas`: the closed-form step as a kernel of Pallas for CUDA, all steps of a block of policies in registers."""

from collections.abc import Collection

import torch

from bench.peers.requirements import missing_jax, unsuitable
from targetrl_core import Problem, Variant
from targetrl_core.variants import Train


def on(devices: Collection[str], *, interpret: bool) -> Variant:
    """The peer on some kinds of device; ``interpret`` has jax compute what the kernel would, to test it without a GPU."""

    def unsupported(problem: Problem, device: torch.device, _n: int) -> str | None:
        return unsuitable("jax-pallas", problem, device, devices) or missing_jax(device)

    def prepare(problem: Problem, device: torch.device, n: int) -> Train:
        from bench.peers.xla.kernel import PallasKernel
        from bench.peers.xla.run import prepared

        return prepared(PallasKernel(problem.steps, interpret=interpret).train, problem, device, n)

    return Variant("jax-pallas", unsupported, prepare)


JAX_PALLAS = on(("cuda",), interpret=False)
