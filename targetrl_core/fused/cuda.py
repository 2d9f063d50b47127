"""The CUDA launcher: ``cuda.cu``, compiled by NVRTC at its first use, through cuda-core."""

from functools import cache
from importlib.util import find_spec
from typing import Any

import torch

from targetrl_core.fused.gpu_source import gpu_source
from targetrl_core.fused.kernel import Kernel, Task

THREADS = 128
"""Threads of a block: a policy's state fits the registers of each, and nothing is shared."""

EXACT: dict[str, Any] = {"fma": False, "prec_div": True, "prec_sqrt": True, "ftz": False}
"""IEEE 754 to the letter: what is fused is fused by name, division and root are rounded correctly, subnormals are kept."""


def why_no_cuda_core() -> str | None:
    """Why kernels cannot be built for CUDA, or None."""
    try:
        found = find_spec("cuda.core") is not None
    except ModuleNotFoundError:
        found = False
    return None if found else "its kernel needs cuda-core: pip install 'targetrl[gpu]'"


def launch(kernel: Kernel, task: Task, device: torch.device) -> None:
    """Put a task on the current stream of a device; it may still be running when this returns."""
    core = _cuda_core()
    with torch.cuda.device(device):
        function = built(kernel, torch.cuda.get_device_capability(device))
        config = core.LaunchConfig(grid=-(-task.n // THREADS), block=THREADS)
        stream = core.Stream.from_handle(torch.cuda.current_stream(device).cuda_stream)
        seed = (task.seed or 0, int(task.seed is not None))
        core.launch(stream, config, function, task.n, task.steps, *task.addresses(), *seed)


@cache
def built(kernel: Kernel, capability: tuple[int, int]) -> Any:  # noqa: ANN401 — cuda-core's own type
    """The compiled kernel of the current device."""
    core = _cuda_core()
    core.Device(torch.cuda.current_device()).set_current()
    options = core.ProgramOptions(arch=f"sm_{capability[0]}{capability[1]}", std="c++17", **EXACT)
    program = core.Program(gpu_source("cuda.cu", kernel), code_type="c++", options=options)
    return program.compile("cubin").get_kernel("train")


@cache
def _cuda_core() -> Any:  # noqa: ANN401 — a module
    """cuda-core, which before its version 1 kept its names under ``experimental``."""
    from cuda import core

    if hasattr(core, "ProgramOptions"):
        return core
    from cuda.core import experimental

    return experimental
