"""The steady state's rows by what they have in common but N: a curve for each way to train."""

from collections import defaultdict
from typing import NamedTuple

from bench.evidence.kinds import Kind, kind_of
from bench.evidence.machine import Machine
from bench.evidence.records import Interval


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
