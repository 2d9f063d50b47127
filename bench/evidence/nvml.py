"""What NVML tells of the GPU that PyTorch uses. None where the package or the driver is missing, or does not tell."""

import os
from collections.abc import Callable
from typing import Any, TypeVar

import torch

Answer = TypeVar("Answer")


def driver_version() -> str | None:
    """Version of the NVIDIA driver."""

    def answer(nvml: Any) -> str:  # noqa: ANN401 — a module without types
        version = nvml.nvmlSystemGetDriverVersion()
        return version.decode() if isinstance(version, bytes) else str(version)

    return _answer(answer)


def other_processes() -> int | None:
    """How many other processes compute on the GPU."""
    mine = os.getpid()
    return _answer(lambda nvml: sum(process.pid != mine for process in nvml.nvmlDeviceGetComputeRunningProcesses(_gpu(nvml))))


def throttle_reasons() -> int | None:
    """Why the GPU's clock is held down at this moment, NVML's bit mask."""
    return _answer(lambda nvml: int(nvml.nvmlDeviceGetCurrentClocksThrottleReasons(_gpu(nvml))))


def _gpu(nvml: Any) -> Any:  # noqa: ANN401 — a module without types
    """NVML's handle of PyTorch's current GPU, by UUID: NVML numbers all GPUs, PyTorch those of CUDA_VISIBLE_DEVICES."""
    return nvml.nvmlDeviceGetHandleByUUID(f"GPU-{torch.cuda.get_device_properties(torch.cuda.current_device()).uuid}")


def _answer(question: Callable[[Any], Answer]) -> Answer | None:
    try:
        import pynvml
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
        try:
            return question(pynvml)
        finally:
            pynvml.nvmlShutdown()
    except (pynvml.NVMLError, RuntimeError):  # PyTorch's own, where the GPU has gone
        return None
