"""When compiling has paid for itself: what it costs more to start, over what it saves for each policy-step."""

import statistics
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from bench.cost.crossing import policies_from
from bench.cost.intervals import difference
from bench.cost.model import Model
from bench.cost.starting import preparing
from bench.evidence.kinds import Kind, kind_of
from bench.evidence.machine import Machine
from bench.evidence.records import Interval
from bench.evidence.schema import Benchmark

PAIRS = (("fused", "batched"), ("batched-compiled", "batched"), ("compiled", "eager"))
"""A variant that compiles, and the same without."""


class Payoff(NamedTuple):
    """Seconds that ``variant`` takes longer to start than ``plain``, and the policy-steps after which that is made up; None: never.

    ``kinds`` are the curves of the two that a single run of as many steps belongs to.
    """

    variant: str
    plain: str
    cache: str
    cost: float
    head_start: Interval
    policies: int
    policy_steps: float | None
    kinds: tuple[Kind, Kind]


def payoffs(machine: Machine) -> Iterator[Payoff]:
    """One for each pair and state of the compiler's cache that was measured, at the N of the cold starts."""
    cold = machine.measured("cold start")
    for variant, plain in PAIRS:
        base = next((row for row in cold if row.extra_info.variant == plain), None)
        for row in cold:
            if row.extra_info.variant == variant and base is not None:
                saved = _seconds_per_policy_step(base) - _seconds_per_policy_step(row)
                head_start = difference(preparing(row), preparing(base))
                cost = max(head_start.value, 0.0)
                yield Payoff(
                    variant, plain, row.extra_info.cache or "–", cost, head_start, row.extra_info.policies,
                    cost / saved if saved > 0 else None, (kind_of(row.extra_info), kind_of(base.extra_info)),
                )  # fmt: skip


def single_run(payoff: Payoff, models: Mapping[Kind, Model]) -> Interval | None:
    """The N from which on one run from a cold start is as fast as without compiling, starting included; None where a line is missing.

    Infinite: never, however many policies, as what a policy costs is not less.
    """
    variant, plain = (models.get(kind) for kind in payoff.kinds)
    return policies_from(variant, plain, payoff.head_start) if variant and plain else None


def _seconds_per_policy_step(row: Benchmark) -> float:
    steady = statistics.median(statistics.median(process.steady_seconds) for process in row.extra_info.processes)
    return steady / (row.extra_info.policies * row.extra_info.steps)
