"""The CUDA launcher: ``cuda.cu``, compiled by NVRTC at its first use, through cuda-core."""

from functools import cache
from importlib.util import find_spec
from typing import Any

import torch

from targetrl_core.errors import Fault, UsageError, complaint
from targetrl_core.fused.kernel import Kernel, KernelTask, gpu_source

THREADS = 128
"""Threads of a block: a policy's state fits the registers of each, and nothing is shared."""

EXACT: dict[str, Any] = {"fma": False, "prec_div": True, "prec_sqrt": True, "ftz": False}
"""IEEE 754 to the letter: what is fused is fused by name, division and root are rounded correctly, subnormals are kept."""


def why_no_cuda_core() -> str | None:
    """Why kernels cannot be built for CUDA, or None."""
    try:
        present = find_spec("cuda.core") is not None
    except ModuleNotFoundError:
        present = False
    return None if present else Fault("its kernel needs cuda-core: pip install 'targetrl[gpu]'")


def ready(kernel: Kernel, device: torch.device) -> None:
    """Compile and load a kernel for a device."""
    with torch.cuda.device(device):
        built(gpu_source("cuda.cu", kernel), "train", torch.cuda.current_device())


def launch(kernel: Kernel, task: KernelTask, device: torch.device) -> None:
    """Put a task on the current stream of a device; it may still be running when this returns."""
    seed = (task.seed or 0, int(task.seed is not None))
    arguments = (task.n, task.steps, *task.addresses(), *seed, *task.draw)
    run(gpu_source("cuda.cu", kernel), "train", arguments, blocks=-(-task.n // THREADS), threads=THREADS, device=device)


def run(  # noqa: PLR0913 — what a launch takes
    source: str, function: str, arguments: tuple[int, ...], *, blocks: int, threads: int, device: torch.device
) -> None:
    """Launch a function of a source text, compiled at its first use, on the current stream of a device.

    Every argument is passed as 64 bits: a pointer or a ``long long``.
    """
    core = _cuda_core()
    with torch.cuda.device(device):
        compiled = built(source, function, torch.cuda.current_device())
        stream = core.Stream.from_handle(torch.cuda.current_stream().cuda_stream)
        core.launch(stream, core.LaunchConfig(grid=blocks, block=threads), compiled, *arguments)


@cache
def built(source: str, function: str, index: int) -> Any:  # noqa: ANN401 — cuda-core's own type
    """The compiled function for one device, which is the current one. Raises UsageError where NVRTC or the driver fails."""
    major, minor = torch.cuda.get_device_capability(index)
    try:
        core = _cuda_core()
        core.Device(index).set_current()
        options = core.ProgramOptions(arch=f"sm_{major}{minor}", std="c++17", **EXACT)
        return core.Program(source, code_type="c++", options=options).compile("cubin").get_kernel(function)
    except Exception as error:  # cuda-core's errors, and those of finding its libraries, have no common type
        raise UsageError(f"NVRTC could not build the kernel: {type(error).__name__}: {complaint(str(error))}") from error


@cache
def _cuda_core() -> Any:  # noqa: ANN401 — a module
    """cuda-core, which before its version 1 kept its names under ``experimental``."""
    from cuda import core

    if hasattr(core, "ProgramOptions"):
        return core
    from cuda.core import experimental

    return experimental
