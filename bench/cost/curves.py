"""The steady state's rows by what they have in common but N: a curve for each way to train."""

from collections import defaultdict
from typing import NamedTuple

from bench.evidence.kinds import Kind, kind_of
from bench.evidence.machine import Machine
from bench.evidence.records import Interval
from bench.evidence.schema import Benchmark


class Point(NamedTuple):
    """A row: N, the seconds of a call, and what has to be said of it."""

    policies: int
    seconds: Interval
    identity: str = ""
    marks: str = ""


Curve = tuple[Point, ...]
"""The points of a kind, by N."""


def point_of(machine: Machine, row: Benchmark) -> Point:
    """A row as a point."""
    return Point(row.extra_info.policies, machine.seconds(row), row.extra_info.identity, machine.marks(row))


def curves(machine: Machine) -> dict[Kind, Curve]:
    """The curves of a device, in the order of the run."""
    found: dict[Kind, dict[int, Point]] = defaultdict(dict)
    for row in machine.measured("steady state"):
        found[kind_of(row.extra_info)][row.extra_info.policies] = point_of(machine, row)
    return {kind: tuple(by_size[n] for n in sorted(by_size)) for kind, by_size in found.items()}
