"""When compiling has paid for itself: what it costs more to start, over what it saves for each policy-step."""

import statistics
from collections.abc import Iterator
from typing import NamedTuple

from bench.evidence.schema import Benchmark
from bench.report.machine import Machine

PAIRS = (("fused", "batched"), ("batched-compiled", "batched"), ("compiled", "eager"))
"""A variant that compiles, and the same without."""


class Payoff(NamedTuple):
    """Seconds that ``variant`` takes longer to start than ``plain``, and the policy-steps after which that is made up; None: never."""

    variant: str
    plain: str
    cache: str
    cost: float
    policies: int
    policy_steps: float | None


def payoffs(machine: Machine) -> Iterator[Payoff]:
    """One for each pair and state of the compiler's cache that was measured, at the N of the cold starts."""
    cold = machine.measured("cold start")
    for variant, plain in PAIRS:
        base = next((row for row in cold if row.extra_info.variant == plain), None)
        for row in cold:
            if row.extra_info.variant == variant and base is not None:
                saved = _seconds_per_policy_step(base) - _seconds_per_policy_step(row)
                cost = _starting_seconds(row) - _starting_seconds(base)
                yield Payoff(
                    variant, plain, row.extra_info.cache or "–", max(cost, 0.0), row.extra_info.policies,
                    max(cost, 0.0) / saved if saved > 0 else None,
                )  # fmt: skip


def _starting_seconds(row: Benchmark) -> float:
    """Prepare, and what the first call takes beyond a later one."""
    return statistics.median(
        process.prepare_seconds + max(process.first_call_seconds - process.second_call_seconds, 0.0) for process in row.extra_info.processes
    )


def _seconds_per_policy_step(row: Benchmark) -> float:
    steady = statistics.median(statistics.median(process.steady_seconds) for process in row.extra_info.processes)
    return steady / (row.extra_info.policies * row.extra_info.steps)
