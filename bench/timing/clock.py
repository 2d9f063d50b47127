"""The clock's self-test: before a device has a number, its clock has to measure work in proportion, and wait for it."""

import time
from collections.abc import Callable
from itertools import pairwise

import torch

from bench.evidence.schema import ClockTest
from targetrl_core.devices import synchronized_clock

Clock = Callable[[], float]

WORK = (1, 4)
"""Portions of work whose times have to be in proportion."""

TOLERANCE = 0.25
"""How far off proportion the times may be, and by how much work may seem shorter once it is waited for."""

REPEATS, ATTEMPTS = 7, 5
PORTION_SECONDS = 0.004
CPU_SIZE, GPU_SIZE = 1 << 14, 1 << 22
"""Numbers that a pass of work goes through: on a CPU so few that one thread does it, as a second one may have to wait for its core; on a
GPU so many that the host is done before the device is."""


def clock_test(device: torch.device, clock: Clock = synchronized_clock) -> ClockTest:
    """Measure the clock on a device: the least of several times counts, as other work on the machine only adds to them.

    It is tried again where a busy machine got into all of them, a few times, and the last time counts.

    Three things have to hold: its steps are a thousandth of a portion of work at the most, k times the work takes about k times the
    time, and work takes no less by it than by the clock that waits for every device, nor than work that is not waited for.
    """
    run = _portions(device, clock)
    result = _measured(run, clock)
    for _ in range(ATTEMPTS - 1):
        if not result.failures:
            break
        result = _measured(run, clock)
    return result


def _portions(device: torch.device, clock: Clock) -> Callable[[int], None]:
    """What does k portions of work: enough passes over a tensor to take milliseconds."""
    tensor = torch.linspace(-1.0, 1.0, CPU_SIZE if device.type == "cpu" else GPU_SIZE, device=device, dtype=torch.float32)

    def passes(count: int) -> None:
        for _ in range(count):
            torch.sigmoid(tensor)

    passes(10)
    begun = clock()
    passes(10)
    each = max((clock() - begun) / 10, 1e-7)
    portion = min(max(round(PORTION_SECONDS / each), 1), 1000)
    return lambda k: passes(k * portion)


def _measured(run: Callable[[int], None], clock: Clock) -> ClockTest:
    seconds: dict[int, list[float]] = {k: [] for k in WORK}
    waited, unsynchronised = [], []
    for _ in range(REPEATS):
        for k in WORK:
            seconds[k].append(_timed(run, k, clock))
            synchronized_clock()  # what was not waited for is not to fall into the next look
        if clock is not synchronized_clock:
            waited.append(_timed(run, WORK[-1], synchronized_clock))
        unsynchronised.append(_timed(run, WORK[-1], time.perf_counter))
        synchronized_clock()
    least = [min(seconds[k]) for k in WORK]
    resolution = _resolution(clock)
    return ClockTest(
        resolution_seconds=resolution,
        work=list(WORK),
        seconds=least,
        unsynchronised_seconds=min(unsynchronised),
        failures=_failures(resolution, least, min(waited, default=0.0), min(unsynchronised)),
    )


def _timed(run: Callable[[int], None], k: int, clock: Clock) -> float:
    begun = clock()
    run(k)
    return clock() - begun


def _resolution(clock: Clock) -> float:
    """Smallest step of the clock in a thousand looks, in seconds."""
    looks = [clock() for _ in range(1000)]
    steps = [after - before for before, after in pairwise(looks) if after > before]
    return min(steps, default=1.0)


def _failures(resolution: float, seconds: list[float], waited: float, unsynchronised: float) -> list[str]:
    failures = []
    if resolution > PORTION_SECONDS / 1000:
        failures.append(f"the clock's smallest step is {resolution:.1e} s, over a thousandth of what it has to measure")
    less, more = WORK[0], WORK[-1]
    if not abs(seconds[-1] / max(seconds[0], 1e-12) / (more / less) - 1) <= TOLERANCE:
        failures.append(f"{more} × the work took {seconds[-1] / max(seconds[0], 1e-12):.2f} × the time")
    if not seconds[-1] >= (1 - TOLERANCE) * waited:
        failures.append(f"work took {seconds[-1]:.2e} s, and {waited:.2e} s by the clock that waits for every device")
    if not seconds[-1] >= (1 - TOLERANCE) * unsynchronised:
        failures.append(f"work that was waited for took {seconds[-1]:.2e} s, work that was not {unsynchronised:.2e} s")
    return failures
