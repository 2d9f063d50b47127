"""Measures what a device can do at most: operations and copied bytes per second."""

import ctypes
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import msgspec
import torch

from bench.evidence.kinds import Kind
from bench.evidence.schema import Limits, Work
from targetrl_core import Population, Problem
from targetrl_core.devices import cores, synchronized_clock
from targetrl_core.fused import cuda
from targetrl_core.fused.compiler import library, why_no_compiler
from targetrl_core.fused.kernel import kernel_of
from targetrl_core.step import rule_for

HERE = Path(__file__).parent

OPERATIONS = ("additions", "multiplications", "divisions", "roots")
"""What is counted of a policy-step; a fused multiply-add counts as one multiplication."""

MEASURED = dict.fromkeys(OPERATIONS, 1) | {"newton_divisions": 1, "newton_roots": 1, "mixed": 2}
"""In the order of ``Operation`` in limit.h; how many operations each is."""

REPEATS = 25
"""The least of so many times counts: whatever else runs only adds to them."""

SECONDS = 0.001
"""About how long one measurement takes: short, so that on a shared machine some are left alone."""

COPIES = 5
"""As ``REPEATS``, of copies, which take longer."""

COPIED = 1 << 26
"""Elements that are copied: 256 MiB there and back, past every cache."""

GPU_BLOCKS, GPU_THREADS, GPU_CHAINS = 4096, 256, 8


def why_no_limits(device: torch.device) -> str | None:
    """Why the limits of a device cannot be measured here, or None."""
    if device.type == "cpu":
        return why_no_compiler()
    return cuda.why_no_cuda_core() if device.type == "cuda" else f"no kernels that measure it for {device.type}"


class Runner(NamedTuple):
    """What does an operation a number of times on each of ``lanes``, and tells the seconds that each of its threads, or a GPU, took.

    ``tells`` says of an operation whether it tells something on the device.
    """

    run: Callable[[int, int], list[float]]
    lanes: int
    tells: Callable[[int], object]


def measure(device: torch.device) -> Limits:
    """The limits of a device; of a CPU on all cores that this process may use, however many of them PyTorch does."""
    runner = _cpu() if device.type == "cpu" else _cuda(device)
    numbers = {name: number for number, name in enumerate(MEASURED) if runner.tells(number)}
    rates = dict(zip(numbers, _rates(runner, list(numbers.values())), strict=True))
    return Limits(**{name: MEASURED[name] * rate for name, rate in rates.items()}, copied_bytes=_copied_bytes(device))


@cache
def count(step: Kind) -> Work:
    """The operations of one policy-step, counted by running the kernel's body on a type that counts."""
    names = {name: str(getattr(step, name)) for name in ("objective", "optimizer", "arithmetic")}
    problem = Problem(**names)  # type: ignore[arg-type] # Problem checks the names
    rule = rule_for(problem, Population.initialise(1), compiled=True)
    counted = (ctypes.c_int64 * len(OPERATIONS))()
    library(str(HERE / "count.cpp"), kernel_of(rule, per_policy=False).macros(), flags=()).count(counted)
    state = 16 if problem.optimizer == "adam" else 8  # weight, bias and shared moments
    return msgspec.convert(names | dict(zip(OPERATIONS, counted, strict=True)) | {"moved_bytes": 2 * state}, Work)


def _rates(runner: Runner, operations: list[int]) -> list[float]:
    """How often a second each is done, by all threads together, each thread at its best.

    Operations take turns, so that what disturbs the machine for a while disturbs none of them all the time.
    """
    times = [_times(runner, operation) for operation in operations]
    measured = [[runner.run(*timed) for timed in zip(operations, times, strict=True)] for _ in range(REPEATS)]
    least = [[min(seconds) for seconds in zip(*repeats, strict=True)] for repeats in zip(*measured, strict=True)]
    return [sum(runner.lanes * count / seconds for seconds in threads) for count, threads in zip(times, least, strict=True)]


def _times(runner: Runner, operation: int) -> int:
    """How often an operation is done in one measurement."""
    times = 1000
    while min(min(runner.run(operation, times)) for _ in range(3)) < SECONDS:
        times *= 2
    return times


def _cpu() -> Runner:
    built = library(str(HERE / "cpu.cpp"), {})
    built.run.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int, ctypes.POINTER(ctypes.c_double))

    def run(operation: int, times: int) -> list[float]:
        seconds = (ctypes.c_double * cores())()
        built.run(operation, times, len(seconds), seconds)
        return list(seconds)

    return Runner(run, built.lanes(), built.tells)


def _cuda(device: torch.device) -> Runner:
    source = (HERE / "cuda.cu").read_text(encoding="utf-8").replace('#include "limit.h"', (HERE / "limit.h").read_text(encoding="utf-8"))
    kept = torch.zeros(1, device=device, dtype=torch.float32)

    def run(operation: int, times: int) -> list[float]:
        arguments = (operation, times, kept.data_ptr())
        return [_seconds(partial(cuda.run, source, "run", arguments, blocks=GPU_BLOCKS, threads=GPU_THREADS, device=device))]

    return Runner(run, GPU_BLOCKS * GPU_THREADS * GPU_CHAINS, lambda _: True)


def _seconds(function: Callable[[], object]) -> float:
    begun = synchronized_clock()
    function()
    return synchronized_clock() - begun


def _copied_bytes(device: torch.device) -> float:
    """Bytes read and written per second of copying."""
    source = torch.ones(COPIED, device=device, dtype=torch.float32)
    target = torch.empty_like(source)
    target.copy_(source)
    return 2 * source.nbytes / min(_seconds(partial(target.copy_, source)) for _ in range(COPIES))
