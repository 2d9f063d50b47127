"""What a fresh process takes before it trains as fast as it will, and when what compiling adds to that has paid for itself."""

import statistics
from collections.abc import Iterator
from typing import NamedTuple

from bench.evidence.machine import Machine
from bench.evidence.records import Interval, median_interval
from bench.evidence.schema import Benchmark

PAIRS = (("fused", "batched"), ("batched-compiled", "batched"), ("compiled", "eager"))
"""A variant that compiles, and the same without."""


class ColdStart(NamedTuple):
    """The start of a variant, by the state of its compiler's cache; None where it compiles nothing. One process has no interval."""

    variant: str | None
    cache: str | None
    seconds: Interval
    processes: int


WARM = ColdStart(None, None, Interval(0.0, 0.0, 0.0), 0)
"""Nothing on top: the process has started, and all is compiled."""


class Payoff(NamedTuple):
    """Seconds that ``variant`` takes longer to start than ``plain``, and the policy-steps after which that is made up; None: never."""

    variant: str
    plain: str
    cache: str
    cost: float
    policies: int
    policy_steps: float | None


def total(first: Interval, then: Interval) -> Interval:
    """One after the other: the ends add up, as if both were late or early together."""
    return Interval(*(sum(ends) for ends in zip(first, then, strict=True)))


def cold_starts(machine: Machine) -> list[ColdStart]:
    """The starts that were measured on a device: importing, preparing, and what the first call takes beyond a later one.

    All import the same, torch and targetrl_core: that is one figure of the device, lest its noise decide between variants.
    """
    rows = machine.measured("cold start")
    importing = [phases.import_seconds for row in rows for phases in row.extra_info.processes]
    return [
        ColdStart(facts.variant, facts.cache, total(median_interval(importing), _preparing(row)), len(facts.processes))
        for row in rows
        for facts in [row.extra_info]
    ]


def payoffs(machine: Machine) -> Iterator[Payoff]:
    """One for each pair and state of the compiler's cache that was measured, at the N of the cold starts."""
    cold = machine.measured("cold start")
    for variant, plain in PAIRS:
        base = next((row for row in cold if row.extra_info.variant == plain), None)
        for row in cold:
            if row.extra_info.variant == variant and base is not None:
                facts = row.extra_info
                cost = max(_preparing(row).value - _preparing(base).value, 0.0)
                saved = _seconds_per_policy_step(base) - _seconds_per_policy_step(row)
                yield Payoff(variant, plain, facts.cache or "–", cost, facts.policies, cost / saved if saved > 0 else None)


def _preparing(row: Benchmark) -> Interval:
    """Preparing, and what the first call takes beyond a later one: the median over a cold start's processes."""
    return median_interval(
        phases.prepare_seconds + max(phases.first_call_seconds - phases.second_call_seconds, 0.0) for phases in row.extra_info.processes
    )


def _seconds_per_policy_step(row: Benchmark) -> float:
    steady = statistics.median(statistics.median(process.steady_seconds) for process in row.extra_info.processes)
    return steady / (row.extra_info.policies * row.extra_info.steps)
