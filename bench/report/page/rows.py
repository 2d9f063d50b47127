"""What the page shows, as records of plain text and numbers: nothing of a file's text is markup, and none of it has a direction."""

import statistics
from collections.abc import Iterable, Iterator

from bench.cost import candidates
from bench.evidence.kinds import kind_of
from bench.evidence.machine import Machine
from bench.evidence.schema import Benchmark, Cell, Phases
from bench.evidence.untrusted import plain
from bench.report import tables
from bench.tables import flat
from bench.tables.cells import duration, scaled, with_interval
from bench.tables.flat import Record

PHASES = ("import", "prepare", "first call, beyond a later one", "later call, warm")
"""What a fresh process spends before it trains as fast as it will, and what a call takes then, in the order in which they pass."""


def problem_of(cell: Cell) -> str:
    """What is trained, in words: the plot shows one problem at a time."""
    return plain(kind_of(cell).words)


def all_rows(machine: Machine) -> Iterator[Record]:
    """Every row of a device in the order of the run, measured ones first, those without a number included."""
    for row in machine.evidence.benchmarks:
        yield _record(machine, row.extra_info, flat.measured(machine, row) | _shown(machine, row))
    for absence in machine.evidence.targetrl.absent:
        yield _record(machine, absence.cell, flat.absent(absence))


def _record(machine: Machine, cell: Cell | None, result: Record) -> Record:
    """What is known, as text in one line; a row that failed before its place was known is of the device alone."""
    place = {} if cell is None else flat.place(cell) | {"problem": problem_of(cell) if cell.variant is not None else None}
    known = {name: value for name, value in (place | result).items() if value is not None}
    return {"machine": machine.name} | {name: plain(value) if isinstance(value, str) else value for name, value in known.items()}


def _shown(machine: Machine, row: Benchmark) -> Record:
    """Times and speeds as they are read; what a process takes that trains once is no speed, and what trains nothing has no distance."""
    shown: Record = {"time": with_interval(machine.seconds(row), seconds=True), "shown": with_interval(machine.speed(row))}
    if row.extra_info.question == "cold start":
        shown |= dict.fromkeys(("speed", "shown"))
    return shown if row.extra_info.ulp else shown | dict.fromkeys(("max_ulp", "ambiguous"))


def ways(machine: Machine) -> Iterator[Record]:
    """What ``recommend.js`` predicts by."""
    for way in candidates.ways(machine):
        kind = way.kind
        yield {
            "machine": machine.name, "variant": plain(kind.variant), "objective": plain(kind.objective), "steps": kind.steps,
            "arithmetic": plain(kind.arithmetic), "own": way.own, "borrowed": plain(way.borrowed), "growth": way.growth._asdict(),
            "curve": [{"policies": row.policies, "seconds": row.seconds.value, "identity": row.identity} for row in way.curve],
            "absences": [(n, plain(reason)) for n, reason in way.absences],
        }  # fmt: skip


def different(rows: Iterable[Record], field: str) -> list[str]:
    """The values that a field has in any of some rows, in their order."""
    return list(dict.fromkeys(row[field] for row in rows if field in row))


def fastest(machine: Machine) -> Iterator[Record]:
    """The fastest way at each N of every problem of the steady state that has a number."""
    measured = [cell for cell in machine.cells("steady state") if cell in machine.rows]
    for problem, cells in tables.by_problem(measured).items():
        rows = sorted((machine.rows[cell] for cell in cells), key=lambda row: machine.speed(row).value)
        best = {row.extra_info.policies: _best(machine, row) for row in rows}  # the last is the fastest
        yield {"machine": machine.name, "problem": plain(problem.words), "best": best}


def _best(machine: Machine, row: Benchmark) -> Record:
    return {"variant": plain(row.extra_info.variant), "speed": scaled(machine.speed(row).value), "marks": machine.marks(row)}


def cold_starts(machine: Machine) -> Iterator[Record]:
    """The cold starts of a device: the median seconds of each phase over its processes, and their sum."""
    for row in machine.measured("cold start"):
        facts = row.extra_info
        seconds = [statistics.median(values) for values in zip(*map(_phases, facts.processes), strict=True)]
        yield {
            "machine": machine.name, "variant": plain(facts.variant), "cache": facts.cache, "policies": facts.policies, "seconds": seconds,
            "total": sum(seconds), "times": [duration(each) if each else "none" for each in (sum(seconds), *seconds)],
        }  # fmt: skip


def _phases(process: Phases) -> tuple[float, ...]:
    """Seconds of each of ``PHASES``."""
    return process.import_seconds, process.prepare_seconds, process.warming_seconds, statistics.median(process.steady_seconds)


def card(machine: Machine) -> Record:
    """What the times of a device depend on, and what has to be said of them, as text."""
    warnings = [f"Weak figures: {plain(doubt)}." for doubt in machine.doubts]
    facts = [(plain(name), plain(value)) for name, value in tables.facts(machine)]
    return {"machine": machine.name, "facts": facts, "warnings": warnings}
