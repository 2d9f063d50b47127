"""What a fresh process takes before it trains as fast as it will: importing, preparing, and the first call beyond a later one."""

from typing import NamedTuple

from bench.evidence.records import Interval, median_interval
from bench.evidence.schema import Benchmark, Phases
from bench.report.machine import Machine


class Start(NamedTuple):
    """The start of a variant, by the state of its compiler's cache; None where it compiles nothing. One process has no interval."""

    variant: str | None
    cache: str | None
    seconds: Interval
    processes: int


def starts(machine: Machine) -> list[Start]:
    """The starts that were measured on a device."""
    return [
        Start(row.extra_info.variant, row.extra_info.cache, _whole(row), len(row.extra_info.processes))
        for row in machine.measured("cold start")
    ]


def preparing_seconds(phases: Phases) -> float:
    """Preparing, and what the first call takes beyond a later one."""
    return phases.prepare_seconds + max(phases.first_call_seconds - phases.second_call_seconds, 0.0)


def _whole(row: Benchmark) -> Interval:
    return median_interval(phases.import_seconds + preparing_seconds(phases) for phases in row.extra_info.processes)
