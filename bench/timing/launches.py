"""How many kernels a variant launches for each step: what is left to fuse."""

from torch.profiler import ProfilerActivity, profile

from targetrl_core import Population
from targetrl_core.devices import synchronized_clock
from targetrl_core.variants import Train

LAUNCHES = ("cudaLaunchKernel", "cudaLaunchKernelExC", "cuLaunchKernel", "cuLaunchKernelEx", "cudaGraphLaunch", "cuGraphLaunch")
"""Calls of the CUDA runtime and driver that launch a kernel, or a graph of them at once."""


def launches_per_step(train: Train, population: Population, steps: int) -> float | None:
    """Launches of one run on CUDA, divided by its steps; None on devices whose launches are not counted."""
    if population.device.type != "cuda":
        return None
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as profiler:
        train(population.clone(), None)
        synchronized_clock()
    return sum(event.name in LAUNCHES for event in profiler.events()) / steps
