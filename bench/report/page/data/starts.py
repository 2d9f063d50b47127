"""Cold starts by their phases: what a fresh process spends before it trains as fast as it will, and what a call takes then."""

import statistics
from collections.abc import Iterator

from bench.evidence.machine import Machine
from bench.evidence.schema import Benchmark
from bench.evidence.untrusted import plain
from bench.report.page.data.rows import Record
from bench.tables.cells import duration

PHASES = ("import", "prepare", "first call, beyond a later one", "a later call (warm)")
"""In the order in which they pass."""


def start_phases(machine: Machine) -> Iterator[Record]:
    """A record a phase of each cold start: the median over its processes, in seconds."""
    for row in machine.measured("cold start"):
        facts = row.extra_info
        start = plain(facts.variant) + (f", cache {facts.cache}" if facts.cache else "")
        medians = _medians(row)
        for number, (phase, seconds) in enumerate(zip(PHASES, medians, strict=True)):
            yield {
                "machine": machine.name, "variant": plain(facts.variant), "start": start, "policies": facts.policies, "phase": phase,
                "order": number, "seconds": seconds, "total": sum(medians), "time": duration(seconds) if seconds else "none",
            }  # fmt: skip


def _medians(row: Benchmark) -> tuple[float, float, float, float]:
    """Of importing, preparing, the first call beyond the second, and later calls."""
    processes = row.extra_info.processes
    return (
        statistics.median(process.import_seconds for process in processes),
        statistics.median(process.prepare_seconds for process in processes),
        statistics.median(max(process.first_call_seconds - process.second_call_seconds, 0.0) for process in processes),
        statistics.median(statistics.median(process.steady_seconds) for process in processes),
    )
