"""Measures what a device can do at most: operations and copied bytes per second."""

import ctypes
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from bench.evidence.schema import Limits, Work
from targetrl_core import Population, Problem
from targetrl_core.devices import synchronized_clock
from targetrl_core.fused import cuda
from targetrl_core.fused.compiler import library, why_no_compiler
from targetrl_core.fused.kernel import kernel_of
from targetrl_core.step import rule_for

HERE = Path(__file__).parent

OPERATIONS = ("additions", "multiplications", "divisions", "roots")
"""In the order of ``Operation`` in limit.h; a fused multiply-add counts as one multiplication."""

KIND = ("objective", "optimizer", "arithmetic")
"""What the operations of a policy-step depend on."""

REPEATS = 5
"""The least of several times counts: whatever else runs only adds to them."""

SECONDS = 0.01
"""About how long one measurement takes."""

COPIED = 1 << 26
"""Elements that are copied: 256 MiB there and back, past every cache."""

GPU_BLOCKS, GPU_THREADS, GPU_CHAINS = 4096, 256, 8


def why_no_limits(device: torch.device) -> str | None:
    """Why the limits of a device cannot be measured here, or None."""
    if device.type == "cpu":
        return why_no_compiler()
    return cuda.why_no_cuda_core() if device.type == "cuda" else f"no kernels that measure it for {device.type}"


def measure(device: torch.device) -> Limits:
    """The limits of a device, on as many threads as PyTorch uses."""
    run = _cpu() if device.type == "cpu" else _cuda(device)
    rates = {name: _rate(run, index) for index, name in enumerate(OPERATIONS)}
    return Limits(**rates, copied_bytes=_copied_bytes(device))


def count(kind: Sequence[str]) -> Work:
    """The operations of one policy-step of a kind, counted by running the kernel's body on a type that counts."""
    objective, optimizer, arithmetic = kind
    problem = Problem(objective=objective, optimizer=optimizer, arithmetic=arithmetic)  # type: ignore[arg-type] # Problem checks the names
    rule = rule_for(problem, Population.initialise(1), compiled=True)
    counted = (ctypes.c_int64 * len(OPERATIONS))()
    library(str(HERE / "count.cpp"), kernel_of(rule, per_policy=False).macros(), flags=()).count(counted)
    state = 16 if problem.optimizer == "adam" else 8  # weight, bias and shared moments
    return Work(**dict(zip((*KIND, *OPERATIONS), (*kind, *counted), strict=True)), moved_bytes=2 * state)


def _rate(run: Callable[[int, int], int], operation: int) -> float:
    """Operations per second: ``run`` does some a number of times and says how many that were."""
    times = 1000
    while _seconds(run, operation, times) < SECONDS:
        times *= 2
    return run(operation, times) / min(_seconds(run, operation, times) for _ in range(REPEATS))


def _seconds(function: Callable[..., Any], *arguments: Any) -> float:  # noqa: ANN401 — the function's own
    begun = synchronized_clock()
    function(*arguments)
    return synchronized_clock() - begun


def _cpu() -> Callable[[int, int], int]:
    built = library(str(HERE / "cpu.cpp"), {})
    built.run.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int)

    def run(operation: int, times: int) -> int:
        threads = torch.get_num_threads()
        built.run(operation, times, threads)
        return int(built.lanes()) * threads * times

    return run


def _cuda(device: torch.device) -> Callable[[int, int], int]:
    source = (HERE / "cuda.cu").read_text(encoding="utf-8").replace('#include "limit.h"', (HERE / "limit.h").read_text(encoding="utf-8"))
    kept = torch.zeros(1, device=device)

    def run(operation: int, times: int) -> int:
        cuda.run(source, "run", (operation, times, kept.data_ptr()), blocks=GPU_BLOCKS, threads=GPU_THREADS, device=device)
        return GPU_BLOCKS * GPU_THREADS * GPU_CHAINS * times

    return run


def _copied_bytes(device: torch.device) -> float:
    """Bytes read and written per second of copying."""
    source = torch.ones(COPIED, device=device)
    target = torch.empty_like(source)
    target.copy_(source)
    return 2 * source.nbytes / min(_seconds(target.copy_, source) for _ in range(REPEATS))
