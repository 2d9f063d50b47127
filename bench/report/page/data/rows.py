"""Every row of every device, those without a number included: the records of the table and of the plots over N."""

from collections.abc import Iterator
from typing import Any

from bench.comparison.rows import seconds_of, speed_of
from bench.evidence import records
from bench.evidence.kinds import kind_of
from bench.evidence.machine import Machine
from bench.evidence.schema import Absence, Benchmark, Cell
from bench.evidence.untrusted import plain
from bench.report.limit import limit_of
from bench.tables.cells import with_interval

Record = dict[str, Any]

TENTH = 0.1
"""Below it a share is told to a hundredth of a per cent."""


def problem_name(cell: Cell) -> str:
    """What is trained, in words: the plots show one problem at a time."""
    return plain(kind_of(cell).words)


def all_rows(machine: Machine) -> Iterator[Record]:
    """The rows of a device in the order of the run, measured ones first."""
    for row in machine.evidence.benchmarks:
        yield _place(machine, row.extra_info) | _measured(machine, row)
    for absence in machine.evidence.targetrl.absent:
        yield _place(machine, absence.cell) | _absent(absence)


def _place(machine: Machine, cell: Cell | None) -> Record:
    """Where a row belongs. One that failed before that was known is of the device alone."""
    if cell is None:
        return {"machine": machine.name}
    known = {
        "machine": machine.name, "question": cell.question, "variant": cell.variant, "objective": cell.objective,
        "arithmetic": cell.arithmetic, "policies": cell.policies, "steps": cell.steps, "cache": cell.cache,
        "ranks": cell.ranks,
    }  # fmt: skip
    found = {name: plain(value) if isinstance(value, str) else value for name, value in known.items() if value is not None}
    return found | ({"problem": problem_name(cell)} if cell.variant is not None else {})


def _measured(machine: Machine, row: Benchmark) -> Record:
    facts, seconds = row.extra_info, seconds_of(machine, row)
    found: Record = {
        "status": "measured", "seconds": seconds.value, "time": with_interval(seconds, seconds=True), "marks": machine.marks(row),
        "identity": facts.identity,
    }  # fmt: skip
    if facts.ulp:
        found |= {"ulp": round(records.max_ulp(facts), 3), "ambiguous": facts.ambiguous}
    if facts.question == "cold start":  # what a process takes that trains once is no speed
        return found
    speed, limit = speed_of(facts, seconds), limit_of(machine.evidence.targetrl, facts)
    found |= {"speed": speed.value, "low": speed.low, "high": speed.high, "shown": with_interval(speed)}
    if limit is not None:
        share = speed.value / limit.speed
        found |= {"share": share, "percent": f"{share:.2%}" if share < TENTH else f"{share:.0%}"}
    return found


def _absent(absence: Absence) -> Record:
    name = f"{absence.name}: " if absence.cell is None else ""
    return {"status": absence.kind, "reason": plain(name + absence.reason)}
