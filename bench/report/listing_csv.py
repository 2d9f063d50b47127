"""results.csv: every row of every device, those without a number included."""

import csv
import io
import statistics
from collections.abc import Iterable

from bench.evidence import records
from bench.evidence.machine import Machine
from bench.evidence.schema import Absence, Benchmark, Cell
from bench.limit.limit import limit_of
from bench.tables.cells import spreadsheet_safe

COLUMNS = (
    "label", "device", "question", "variant", "objective", "optimizer", "arithmetic", "policies", "steps", "cache", "ranks", "status",
    "reason", "policy_steps_per_second", "low", "high", "seconds", "rounds", "marks", "identity", "max_ulp", "ambiguous", "at_target",
    "collapsed", "saturated", "elsewhere", "prepare_seconds", "compile_seconds", "peak_memory_bytes", "launches_per_step",
    "steps_to_target", "limit_share", "limit_binds", "threads", "torch", "commit",
)  # fmt: skip
"""``policy_steps_per_second`` are policies per second where no policy is trained."""


def text(machines: Iterable[Machine]) -> str:
    """The file's content."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for machine in machines:
        for row in machine.evidence.benchmarks:
            writer.writerow(_safe(_where(machine, row.extra_info) | _measured(machine, row)))
        for absence in machine.evidence.targetrl.absent:
            writer.writerow(_safe(_where(machine, absence.cell) | _absent(absence)))
    return out.getvalue()


def _where(machine: Machine, cell: Cell | None) -> dict[str, object]:
    part = machine.evidence.targetrl
    place = {} if cell is None else {name: getattr(cell, name) for name in Cell.__struct_fields__}
    return place | {"label": part.label, "device": part.device, "torch": part.fingerprint.torch, "commit": part.fingerprint.commit}


def _measured(machine: Machine, row: Benchmark) -> dict[str, object]:
    facts, speed = row.extra_info, machine.speed(row)
    numbers = {
        "policy_steps_per_second": speed.value, "low": speed.low, "high": speed.high, "seconds": statistics.median(row.stats.data),
        "prepare_seconds": facts.prepare_seconds, "compile_seconds": facts.compile_seconds,
    }  # fmt: skip
    limit = limit_of(machine.evidence.targetrl, facts)
    if limit is not None:
        numbers["limit_share"] = speed.value / limit.speed
    return {name: f"{value:.6g}" for name, value in numbers.items() if value is not None} | facts.outcomes | {
        "limit_binds": None if limit is None else limit.binds,
        "status": "measured", "rounds": len(row.stats.data), "marks": machine.marks(row), "identity": facts.identity,
        "max_ulp": records.max_ulp(facts), "ambiguous": facts.ambiguous, "peak_memory_bytes": records.peak_memory(facts),
        "launches_per_step": facts.launches_per_step, "steps_to_target": facts.steps_to_target, "threads": facts.threads,
    }  # fmt: skip


def _absent(absence: Absence) -> dict[str, object]:
    name = f"{absence.name}: " if absence.cell is None else ""
    return {"status": absence.kind, "reason": name + absence.reason}


def _safe(row: dict[str, object]) -> dict[str, object]:
    """Only known columns, safe in a spreadsheet."""
    return {name: spreadsheet_safe(value) for name, value in row.items() if name in COLUMNS}
