"""The tables that the page has without its script: the fastest at each N, reasons, and each device's fingerprint."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from bench.evidence.schema import Benchmark, Cell
from bench.evidence.untrusted import plain
from bench.report.cells import scaled
from bench.report.limit import limit_lines
from bench.report.machine import MARKS, Machine
from bench.report.page.data.rows import problem_name

LETTERS = MARKS | {"w": "weak: the machine was disturbed, as is said of it below"}


class Best(NamedTuple):
    """The fastest row of one N."""

    variant: str
    speed: str
    marks: str


class Line(NamedTuple):
    """The fastest of each N, of one problem on one device; None where nothing was measured."""

    machine: str
    problem: str
    best: list[Best | None]


class Verdict(NamedTuple):
    """The sizes, and a line for each device and problem."""

    sizes: list[int]
    lines: list[Line]


class Reason(NamedTuple):
    """Why some rows have no number."""

    kind: str
    reason: str
    rows: int
    variants: str
    machines: str


class Facts(NamedTuple):
    """What the times of a device depend on, and what has to be said of them."""

    machine: str
    known: list[tuple[str, str]]
    warnings: list[str]
    limits: list[str]


def verdict(machines: Sequence[Machine]) -> Verdict:
    """The fastest way at each N, of every problem of the steady state."""
    found = {(machine.name, name): best for machine in machines for name, best in _problems(machine)}
    sizes = sorted({n for best in found.values() for n in best})
    lines = [Line(name, problem, [best.get(n) for n in sizes]) for (name, problem), best in found.items() if best]
    return Verdict(sizes, lines)


def _problems(machine: Machine) -> Iterator[tuple[str, dict[int, Best]]]:
    by_problem: dict[str, list[Cell]] = defaultdict(list)
    for cell in machine.cells("steady state"):
        by_problem[problem_name(cell)].append(cell)
    for name, cells in by_problem.items():
        rows = [machine.rows[cell] for cell in cells if cell in machine.rows]
        yield name, {n: _best(machine, [row for row in rows if row.extra_info.policies == n]) for n in _sizes(rows)}


def _sizes(rows: Sequence[Benchmark]) -> list[int]:
    return sorted({row.extra_info.policies for row in rows})


def _best(machine: Machine, rows: Sequence[Benchmark]) -> Best:
    best = max(rows, key=lambda row: machine.speed(row).value)
    return Best(plain(best.extra_info.variant), scaled(machine.speed(best).value), machine.marks(best))


def reasons(machines: Sequence[Machine]) -> list[Reason]:
    """Each reason once, withheld ones first."""
    found: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for machine in machines:
        for absence in machine.evidence.targetrl.absent:
            name = absence.name if absence.cell is None else absence.cell.variant or absence.cell.question
            found[absence.kind, absence.reason].append((plain(name), machine.name))
    said = [
        Reason(kind, plain(reason), len(rows), _list(variant for variant, _ in rows), _list(machine for _, machine in rows))
        for (kind, reason), rows in found.items()
    ]
    return sorted(said, key=lambda one: (one.kind != "withheld", -one.rows))


def _list(names: Iterator[str]) -> str:
    return "; ".join(dict.fromkeys(names))


def facts(machine: Machine) -> Facts:
    """One device: fingerprint, environment, warnings and limits, as text."""
    part = machine.evidence.targetrl
    fingerprint, environment = msgspec.structs.asdict(part.fingerprint), msgspec.structs.asdict(part.environment)
    packages: dict[str, str] = fingerprint.pop("packages")
    settings: dict[str, str] = environment.pop("thread_settings")
    values = fingerprint | packages | environment | settings
    known = [(plain(name.replace("_", " ")), plain(value)) for name, value in values.items() if value is not None]
    warnings = [f"The clock failed its test: {plain(failure)}." for failure in part.clock.failures]
    warnings += [f"Weak figures: {plain(disturbance)}." for disturbance in machine.disturbances]
    limits = limit_lines(part.limits) if part.limits else [f"Not measured: {plain(part.no_limits)}"] if part.no_limits else []
    return Facts(machine.name, known, warnings, limits)


def marks(machines: Sequence[Machine]) -> dict[str, str]:
    """The letters that stand at figures, with their meaning."""
    used = {letter for machine in machines for row in machine.evidence.benchmarks for letter in machine.marks(row)}
    return {letter: text for letter, text in LETTERS.items() if letter in used}
