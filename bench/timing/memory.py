"""How much memory a row takes: foreseen, and measured as the growth in one call."""

import ctypes
import sys
import threading
import time
from collections.abc import Callable

import psutil
import torch

from targetrl_core.devices import free_memory, synchronized_clock

EVERY_SECONDS = 0.0005
"""How often resident memory is looked at."""

BYTES_PER_POLICY = 128
"""About what a row of very many policies takes for each of them: of the host for rounds and probes, of a GPU for a population, what
becomes of it, and what a step makes in between."""


def why_too_large(n: int, device: torch.device) -> str | None:
    """Why a row of n policies does not fit the memory that is free, or None where it does."""
    for name, place in (("the host", torch.device("cpu")), (f"the {device.type} device", device)):
        free = free_memory(place)
        if n * BYTES_PER_POLICY > free:
            return f"{n:,} policies need about {n * BYTES_PER_POLICY / 2**30:.1f} GiB of {name}, and {free / 2**30:.1f} GiB are free"
    return None


LEAST_SAMPLED = 1_000_000
"""Fewest policies of a row whose memory is sampled: less drowns in what the process itself takes and leaves, and is done before a look."""


def row_growth(call: Callable[[], object], device: torch.device, n: int) -> int | None:
    """What ``peak_growth`` says of a row of n policies in the process of the suite; None where that would say nothing."""
    exact = device.type == "cuda"
    return peak_growth(call, device) if exact or (n >= LEAST_SAMPLED and (device.type == "mps" or TRIM is not None)) else None


def peak_growth(call: Callable[[], object], device: torch.device) -> int:
    """Bytes by which memory grows at most during ``call``: of CUDA by its allocator's own count, elsewhere of this process, sampled.

    Memory that was used and freed before, and is used again, would not count: where the C library can, it is given back first.
    """
    synchronized_clock()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        call()
        synchronized_clock()
        return torch.cuda.max_memory_allocated(device) - before
    if TRIM is not None:
        TRIM(0)
    process = psutil.Process()
    return _sampled(call, torch.mps.driver_allocated_memory if device.type == "mps" else lambda: int(process.memory_info().rss))


def _find_trim() -> Callable[[int], int] | None:
    """glibc's malloc_trim, which gives back the memory that was freed; other C libraries have none."""
    if sys.platform != "linux":
        return None
    return getattr(ctypes.CDLL(None), "malloc_trim", None)


TRIM = _find_trim()


def _sampled(call: Callable[[], object], used: Callable[[], int]) -> int:
    done = threading.Event()
    before = most = used()

    def watch() -> None:
        nonlocal most
        while not done.is_set():
            most = max(most, used())
            time.sleep(EVERY_SECONDS)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        call()
        synchronized_clock()
        most = max(most, used())
    finally:
        done.set()
        watcher.join()
    return most - before
