"""Which launcher a device has, and why it has none."""

import torch

from targetrl_core.errors import Fault, UsageError
from targetrl_core.fused import compiler, cpu, cuda, mps
from targetrl_core.fused.kernel import Kernel, KernelTask


def why_not(device: torch.device) -> str | None:
    """Why kernels cannot be built for a device here, or None."""
    if device.type == "cpu":
        return compiler.why_no_compiler()
    return cuda.why_no_cuda_core() if device.type == "cuda" else None


def why_not_ready(kernel: Kernel, device: torch.device) -> str | None:
    """Why a kernel cannot be built and loaded, which is found out by doing it; None where it can, and is from then on."""
    try:
        ready(kernel, device)
    except UsageError as error:
        return Fault(error)
    return None


def ready(kernel: Kernel, device: torch.device) -> None:
    """Build and load a kernel: its cold start. Raises UsageError where that fails."""
    if device.type == "cpu":
        cpu.built(kernel)
    elif device.type == "cuda":
        cuda.ready(kernel, device)
    else:
        mps.built(kernel)


def launch(kernel: Kernel, task: KernelTask, device: torch.device) -> None:
    """Run a kernel on its task; on a GPU the task may still be running when this returns."""
    if device.type == "cpu":
        cpu.launch(kernel, task)
    elif device.type == "cuda":
        cuda.launch(kernel, task, device)
    else:
        mps.launch(kernel, task)
