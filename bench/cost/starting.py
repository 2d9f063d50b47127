"""What a fresh process takes before it trains as fast as it will: importing, preparing, and the first call beyond a later one."""

from typing import NamedTuple

from bench.cost.intervals import total
from bench.evidence.machine import Machine
from bench.evidence.records import Interval, median_interval
from bench.evidence.schema import Benchmark


class Start(NamedTuple):
    """The start of a variant, by the state of its compiler's cache; None where it compiles nothing. One process has no interval."""

    variant: str | None
    cache: str | None
    seconds: Interval
    processes: int


def starts(machine: Machine) -> list[Start]:
    """The starts that were measured on a device.

    All import the same, torch and targetrl_core: that is one figure of the device, lest its noise decide between variants.
    """
    rows = machine.measured("cold start")
    importing = [phases.import_seconds for row in rows for phases in row.extra_info.processes]
    return [
        Start(
            row.extra_info.variant, row.extra_info.cache, total(median_interval(importing), preparing(row)), len(row.extra_info.processes)
        )
        for row in rows
    ]


def preparing(row: Benchmark) -> Interval:
    """Preparing, and what the first call takes beyond a later one: the median over a cold start's processes."""
    return median_interval(
        phases.prepare_seconds + max(phases.first_call_seconds - phases.second_call_seconds, 0.0) for phases in row.extra_info.processes
    )
