"""The tables that the page has without its script: the fastest at each N, what plots show, reasons, and each device's fingerprint."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from bench.evidence.machine import MARKS, Machine
from bench.evidence.schema import Benchmark, Cell, Environment, Fingerprint
from bench.evidence.untrusted import plain
from bench.report.limit import limit_lines
from bench.report.page.data.courses import OUTCOME_NAMES
from bench.report.page.data.rows import Record, problem_name
from bench.tables.cells import duration, scaled

LETTERS = MARKS | {"w": "weak: the machine was disturbed, as is said of it below"}

GAPS = {"–": "not measured at that N, under that problem", "withheld": "what ran there did not converge identically"}
"""What stands where no row of a size and problem has a number, with its meaning."""


class Best(NamedTuple):
    """The fastest row of one N."""

    variant: str
    speed: str
    marks: str


class Line(NamedTuple):
    """The fastest of each N, of one problem on one device; None, and one of ``GAPS``, where no row has a number."""

    machine: str
    problem: str
    best: list[Best | None]
    gaps: list[str]


class Verdict(NamedTuple):
    """The sizes, and a line for each device and problem."""

    sizes: list[int]
    lines: list[Line]

    @property
    def gaps(self) -> dict[str, str]:
        """What stands where no row has a number, with its meaning."""
        used = {gap for line in self.lines for best, gap in zip(line.best, line.gaps, strict=True) if best is None}
        return {gap: text for gap, text in GAPS.items() if gap in used}


class Reason(NamedTuple):
    """Why some rows have no number."""

    kind: str
    reason: str
    rows: int
    variants: str
    machines: str


class End(NamedTuple):
    """Where a variant's policies end, and how far it was from the oracle at most, if it is not the oracle itself."""

    variant: str
    outputs: list[str]
    furthest: str | None


class Ends(NamedTuple):
    """What the plots of one problem's trajectories on one device come to."""

    machine: str
    course: str
    policies: list[str]
    lines: list[End]


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
    held = {place for machine in machines for place in _withheld(machine)}
    lines = [
        Line(name, problem, [best.get(n) for n in sizes], ["withheld" if (name, problem, n) in held else "–" for n in sizes])
        for (name, problem), best in found.items()
        if best
    ]
    return Verdict(sizes, lines)


def _withheld(machine: Machine) -> Iterator[tuple[str, str, int]]:
    """Device, problem and N of the rows of the steady state that did not converge identically."""
    for cell, absence in machine.absent.items():
        if absence.kind == "withheld" and cell.question == "steady state":
            yield machine.name, problem_name(cell), cell.policies


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


def ends(courses: Sequence[Record]) -> list[Ends]:
    """The courses that the page's plots draw, as figures."""
    return [Ends(one["machine"], one["course"], one["policies"], [_end(line) for line in one["lines"]]) for one in courses]


def _end(line: Record) -> End:
    outputs = [f"{output[-1]:.5f}" for output in line["outputs"]]
    return End(line["variant"], outputs, f"{max(map(max, line['ulp'])):.4g}" if "ulp" in line else None)


def shares(one: Record) -> list[str]:
    """Of a map's policies the share of each outcome, in the order of their names."""
    found = [each for line in one["outcomes"] for each in line]
    return [f"{found.count(number) / len(found):.1%}" for number in range(len(OUTCOME_NAMES))]


def facts(machine: Machine) -> Facts:
    """One device: fingerprint, environment, warnings and limits, as text."""
    part = machine.evidence.targetrl
    values = (*_fingerprint(part.fingerprint), *_environment(part.environment))
    known = [(plain(name), plain(_said(value))) for name, value in values if value is not None]
    warnings = [f"The clock failed its test: {plain(failure)}." for failure in part.clock.failures]
    warnings += [f"Weak figures: {plain(disturbance)}." for disturbance in machine.disturbances]
    limits = limit_lines(part.limits) if part.limits else [f"Not measured: {plain(part.no_limits)}"] if part.no_limits else []
    return Facts(machine.name, known, warnings, limits)


def _said(value: object) -> object:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else value


def _fingerprint(f: Fingerprint) -> Sequence[tuple[str, object]]:
    """What the times depend on, in words and units."""
    return (
        ("processor", f.processor), ("cores", f.cores), ("logical cores", f.logical_cores), ("usable cores", f.usable_cores),
        ("CPU quota", f.cpu_quota), ("threads", f.threads),
        ("memory", f"{f.memory_gib:.1f} GiB"), ("GPU", f.gpu), ("driver", f.driver), ("CUDA", f.cuda), ("torch", f.torch),
        *f.packages.items(), ("Python", f.python), ("system", f.system), ("instructions", f.cpu_capability),
        ("compiler", f.kernel_compiler or f.compiler),
        ("compiler of torch", f.torch_compiler),        ("flags of the environment", f.compile_flags),
        ("commit", f.commit), ("uncommitted changes", f.dirty),
    )  # fmt: skip


def _environment(e: Environment) -> Sequence[tuple[str, object]]:
    """What else went on, in words and units."""
    return (
        ("the run took", duration(max(e.seconds, 1e-9))), ("busy elsewhere", _share(e.busy_elsewhere)), ("stolen", _share(e.stolen)),
        ("load before, per core", None if e.load_before is None else f"{e.load_before:.2f}"), ("governor", e.governor), ("turbo", e.turbo),
        ("times throttled", e.throttled), ("on battery", e.on_battery), ("others on the GPU", e.gpu_processes),
        ("GPU held down", None if e.gpu_throttled is None else f"NVML reasons {int(e.gpu_throttled):#x}"), *e.thread_settings.items(),
    )  # fmt: skip


def _share(share: float | None) -> str | None:
    return None if share is None else f"{share:.1%}"


def marks(machines: Sequence[Machine]) -> dict[str, str]:
    """The letters that stand at figures, with their meaning."""
    used = {letter for machine in machines for row in machine.evidence.benchmarks for letter in machine.marks(row)}
    return {letter: text for letter, text in LETTERS.items() if letter in used}
