"""What this machine has and why not more; what memory is free; the one clock that waits for every device."""

import os
import sysconfig
import time
from pathlib import Path

import psutil
import torch

from targetrl_core import inductor
from targetrl_core.errors import Fault, UsageError, one_of
from targetrl_core.names import DEVICES


def why_absent(name: str) -> str | None:
    """Why device ``name`` cannot be used here, or None where it can."""
    if name == "cpu":
        return None
    if name == "cuda":
        if not torch.backends.cuda.is_built():
            return f"torch {torch.__version__} is built without CUDA"
        return None if torch.cuda.is_available() else "no NVIDIA GPU, or its driver does not work with this torch"
    if name == "mps":
        if not torch.backends.mps.is_built():
            return f"torch {torch.__version__} is built without MPS"
        return None if torch.backends.mps.is_available() else "no Metal GPU, or macOS is too old"
    raise UsageError(f"device is {name!r}; it must be one of {one_of(DEVICES)}")


def available_devices() -> tuple[str, ...]:
    """Names of the devices that can be used here, the CPU first."""
    return tuple(name for name in DEVICES if why_absent(name) is None)


def find_device(name: str | torch.device) -> torch.device:
    """The device of that name (``cpu``, ``cuda``, ``cuda:1``, ``mps``).

    Raises:
        UsageError: no such device here, with the reason and what there is.
    """
    wrong = UsageError(f"device is {name!r}; it must be one of {one_of(available_devices())}")
    if str(name).partition(":")[0] not in DEVICES:  # torch knows more devices, and warns of some
        raise wrong
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise wrong from error
    if str(device) != str(name):  # it takes cuda:256 for cuda:0
        raise wrong
    reason = why_absent(device.type)
    if reason is None and device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        reason = f"there are {torch.cuda.device_count()} CUDA devices"
    if reason is not None:
        raise UsageError(f"device {name} is not available: {reason}; available: {one_of(available_devices())}")
    return device


def synchronized_clock() -> float:
    """Seconds of ``time.perf_counter``, once every device that was used has finished what it was given."""
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        for index in range(torch.cuda.device_count()):  # work may have been given to any, the current one or not
            torch.cuda.synchronize(index)
    if torch.backends.mps.is_available():
        torch.mps.synchronize()
    return time.perf_counter()


def free_memory(device: torch.device) -> int:
    """Bytes that a device has free, or that PyTorch holds for it unused; of the CPU and MPS, which share it, those of the host."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0] + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return int(psutil.virtual_memory().available)


def cores() -> int:
    """Logical cores of this host that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def device_name(device: torch.device) -> str | None:
    """The GPU's own name; None for the CPU, whose name is not PyTorch's to tell."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return "Apple GPU" if device.type == "mps" else None


def why_not_compiled(device: torch.device) -> str | None:
    """What ``torch.compile`` lacks to build for ``device``, or None."""
    if device.type == "cuda":
        return inductor.why_no_folder() if _has_triton() else Fault("torch.compile needs triton on CUDA")
    header = Path(sysconfig.get_path("include")) / "Python.h"
    if not header.exists():
        return Fault("torch.compile needs Python.h: install Python's development headers")
    return inductor.why_no_builds()


def _has_triton() -> bool:
    from torch.utils._triton import has_triton  # slow to import, and needed on CUDA alone

    return bool(has_triton())
