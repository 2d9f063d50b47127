"""What the page shows, as records of plain text and numbers: nothing of a file's text is markup, and none of it has a direction."""

import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from bench.cost import candidates
from bench.evidence.kinds import kind_of
from bench.evidence.machine import MARKS, Machine
from bench.evidence.schema import Benchmark, Cell, Environment, Fingerprint, Phases
from bench.evidence.untrusted import plain
from bench.tables import flat
from bench.tables.cells import duration, scaled, with_interval
from bench.tables.flat import Record

LETTERS = MARKS | {"w": "weak: the machine was disturbed, as is said of it below"}

GAPS = {"–": "not measured at that N, under that problem", "withheld": "what ran there did not converge identically"}
"""What stands where no row of a size and problem has a number, with its meaning."""

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
    """The fastest way at each N of every problem of the steady state that has a number, and the N at which rows were withheld."""
    by_problem: dict[str, dict[int, list[Benchmark]]] = defaultdict(lambda: defaultdict(list))
    for row in machine.measured("steady state"):
        by_problem[problem_of(row.extra_info)][row.extra_info.policies].append(row)
    withheld: dict[str, set[int]] = defaultdict(set)
    for cell, absence in machine.absent.items():
        if (absence.kind, cell.question) == ("withheld", "steady state"):
            withheld[problem_of(cell)].add(cell.policies)
    for problem, by_size in by_problem.items():
        best = {policies: _best(machine, rows) for policies, rows in by_size.items()}
        yield {"machine": machine.name, "problem": problem, "best": best, "withheld": withheld[problem]}


def _best(machine: Machine, rows: Iterable[Benchmark]) -> Record:
    row = max(rows, key=lambda row: machine.speed(row).value)
    return {"variant": plain(row.extra_info.variant), "speed": scaled(machine.speed(row).value), "marks": machine.marks(row)}


def gaps(verdict: Sequence[Record], sizes: Iterable[int]) -> Mapping[str, str]:
    """What stands in a verdict where it has no number, with its meaning."""
    used = {gap(line, policies) for policies in sizes for line in verdict if policies not in line["best"]}
    return {name: text for name, text in GAPS.items() if name in used}


def gap(line: Record, policies: int) -> str:
    """What stands in a line of the verdict at a size that has no number."""
    return "withheld" if policies in line["withheld"] else "–"


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
    beyond = max(process.first_call_seconds - process.second_call_seconds, 0.0)
    return process.import_seconds, process.prepare_seconds, beyond, statistics.median(process.steady_seconds)


def card(machine: Machine) -> Record:
    """What the times of a device depend on, and what has to be said of them, as text."""
    part = machine.evidence.targetrl
    values = (*_fingerprint(part.fingerprint), *_environment(part.environment))
    warnings = [f"The clock failed its test: {plain(failure)}." for failure in part.clock.failures]
    warnings += [f"Weak figures: {plain(disturbance)}." for disturbance in machine.disturbances]
    facts = [(plain(name), plain(_yes_or_no(value))) for name, value in values if value is not None]
    return {"machine": machine.name, "facts": facts, "warnings": warnings}


def _yes_or_no(value: object) -> object:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else value


def _fingerprint(f: Fingerprint) -> Sequence[tuple[str, object]]:
    """What the times depend on, in words and units."""
    return (
        ("processor", f.processor), ("cores", f.cores), ("logical cores", f.logical_cores), ("usable cores", f.usable_cores),
        ("CPU quota", f.cpu_quota), ("threads", f.threads), ("memory", f"{f.memory_gib:.1f} GiB"), ("GPU", f.gpu), ("driver", f.driver),
        ("CUDA", f.cuda), ("torch", f.torch), *f.packages.items(), ("Python", f.python), ("system", f.system),
        ("instructions", f.cpu_capability), ("compiler", f.kernel_compiler or f.compiler), ("compiler of torch", f.torch_compiler),
        ("flags of the environment", f.compile_flags), ("commit", f.commit), ("uncommitted changes", f.dirty),
    )  # fmt: skip


def _environment(e: Environment) -> Sequence[tuple[str, object]]:
    """What else went on, in words and units."""
    return (
        ("the run took", duration(max(e.seconds, 1e-9))), ("busy elsewhere", _per_cent(e.busy_elsewhere)), ("stolen", _per_cent(e.stolen)),
        ("load before, per core", None if e.load_before is None else f"{e.load_before:.2f}"), ("governor", e.governor), ("turbo", e.turbo),
        ("times throttled", e.throttled), ("on battery", e.on_battery), ("others on the GPU", e.gpu_processes),
        ("GPU held down", None if e.gpu_throttled is None else f"NVML reasons {int(e.gpu_throttled):#x}"), *e.thread_settings.items(),
    )  # fmt: skip


def _per_cent(share: float | None) -> str | None:
    return None if share is None else f"{share:.1%}"


def marks(machines: Iterable[Machine]) -> dict[str, str]:
    """The letters that stand at figures, with their meaning."""
    used = {letter for machine in machines for row in machine.evidence.benchmarks for letter in machine.marks(row)}
    return {letter: text for letter, text in LETTERS.items() if letter in used}
