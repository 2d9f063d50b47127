"""A row as one flat record: what CSV, JSON and the page have of it."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from bench.evidence import records
from bench.evidence.machine import Machine
from bench.evidence.records import Interval
from bench.evidence.schema import Absence, Benchmark, Cell
from bench.tables.cells import spreadsheet_safe

Record = dict[str, Any]

PLACE = ("question", "variant", "objective", "optimizer", "arithmetic", "policies", "steps", "cache", "ranks")


def place(cell: Cell) -> Record:
    """Where a row belongs."""
    return {name: getattr(cell, name) for name in PLACE}


def measured(machine: Machine, row: Benchmark) -> Record:
    """What was measured, with the ends of intervals; ``speed`` is policy-steps per second, or policies where none is trained."""
    facts = row.extra_info
    return {"status": "measured"} | ends("seconds", machine.seconds(row)) | ends("speed", machine.speed(row)) | {
        "identity": facts.identity, "max_ulp": records.max_ulp(facts), "ambiguous": facts.ambiguous, "marks": machine.marks(row),
    }  # fmt: skip


def ends(name: str, interval: Interval) -> Record:
    """A value and the ends of its interval."""
    return {name: interval.value, f"{name}_low": interval.low, f"{name}_high": interval.high}


def absent(absence: Absence | None) -> Record:
    """Why there is no number; one that failed before it was known what it is about has its name before the reason."""
    if absence is None:
        return {"status": "not measured", "reason": "not part of this run"}
    return {"status": absence.kind, "reason": absence.reason if absence.cell else f"{absence.name}: {absence.reason}"}


def as_csv(columns: Sequence[str], lines: Iterable[Record]) -> str:
    """A file of these columns, floats to six digits, safe in a spreadsheet; what has no column is left out."""
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    for line in lines:
        writer.writerow({name: f"{value:.6g}" if isinstance(value, float) else spreadsheet_safe(value) for name, value in line.items()})
    return out.getvalue()
