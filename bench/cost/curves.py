"""What rows tell of time: the steady state's by what they have in common but N, a curve for each way to train; and cold starts."""

from collections import defaultdict
from typing import NamedTuple

from bench.evidence.kinds import Kind, kind_of
from bench.evidence.machine import Machine
from bench.evidence.records import Interval, median_interval
from bench.evidence.schema import Benchmark


class Point(NamedTuple):
    """A row: N, the seconds of a call, and what has to be said of it."""

    policies: int
    seconds: Interval
    identity: str = ""
    marks: str = ""

    def times(self, factor: float) -> "Point":
        """The same row, were it to take ``factor`` times as long."""
        return self._replace(seconds=Interval(*(factor * seconds for seconds in self.seconds)))


Curve = tuple[Point, ...]
"""The points of a kind, by N."""


def timed(curve: Curve) -> list[tuple[int, float]]:
    """N and seconds of each row."""
    return [(point.policies, point.seconds.value) for point in curve]


def curves(machine: Machine) -> dict[Kind, Curve]:
    """The curves of a device, in the order of the run."""
    points: dict[Kind, dict[int, Point]] = defaultdict(dict)
    for row in machine.measured("steady state"):
        facts = row.extra_info
        points[kind_of(facts)][facts.policies] = Point(facts.policies, machine.seconds(row), facts.identity, machine.marks(row))
    return {kind: tuple(by_size[n] for n in sorted(by_size)) for kind, by_size in points.items()}


def problems(machine: Machine) -> dict[Kind, dict[str, Curve]]:
    """The same by problem, and in each by variant."""
    groups: dict[Kind, dict[str, Curve]] = defaultdict(dict)
    for kind, curve in curves(machine).items():
        groups[kind.problem][str(kind.variant)] = curve
    return groups


class ColdStart(NamedTuple):
    """The start of a variant, by the state of its compiler's cache; None where it compiles nothing. One process has no interval."""

    variant: str | None
    cache: str | None
    seconds: Interval
    processes: int


WARM = ColdStart(None, None, Interval(0.0, 0.0, 0.0), 0)
"""Nothing on top: the process has started, and all is compiled."""


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
        ColdStart(facts.variant, facts.cache, total(median_interval(importing), preparing(row)), len(facts.processes))
        for row in rows
        for facts in [row.extra_info]
    ]


def preparing(row: Benchmark) -> Interval:
    """Preparing, and what the first call takes beyond a later one: the median over a cold start's processes."""
    return median_interval(phases.prepare_seconds + phases.warming_seconds for phases in row.extra_info.processes)
