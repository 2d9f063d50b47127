"""What is to be seen in each part of the page, in a sentence: of the first device, whose figures the front page has too."""

from collections.abc import Sequence

from bench.evidence.machine import Machine
from bench.evidence.records import median_interval
from bench.evidence.schema import Benchmark
from bench.evidence.untrusted import plain
from bench.report.limit import limit_of, share_of
from bench.report.page.data.courses import furthest, share
from bench.report.tables import fastest_rows
from bench.tables.cells import duration, rough, scaled
from bench.trajectories.evidence import Trajectories
from targetrl_core.names import ARITHMETICS

NONE = "Nothing of this was measured."


def of_throughput(machine: Machine) -> str:
    """What the fastest row of the largest population comes to, and how that stands to eager's."""
    best = fastest_rows(machine, ARITHMETICS[0])
    if not best:
        return NONE
    top = best[max(best)]
    speed = machine.speed(top).value
    said = f"On {machine.name}, {_name(top)} trains {_n(top)} policies at {scaled(speed)} policy-steps per second"
    eager = [row for row in machine.measured("steady state") if _is_like(row, top, "eager")]
    if not eager:
        return f"{said}."
    base = max(eager, key=lambda row: row.extra_info.policies)
    times = rough(speed / machine.speed(base).value)
    return f"{said}: some {times} times what eager does at N = {_n(base)}, the largest that was measured of it."


def of_crossings(machine: Machine) -> str:
    """Which variant is the fastest where."""
    best = fastest_rows(machine, ARITHMETICS[0])
    names = {n: _name(best[n]) for n in sorted(best)}
    said = [f"{name} at {', '.join(f'N = {n:,}' for n in names if names[n] == name)}" for name in dict.fromkeys(names.values())]
    return f"On {machine.name} the fastest is {'; '.join(said)}. Bars are 95 % intervals, over rounds and processes." if said else NONE


def of_shares(machine: Machine) -> str:
    """The row that comes nearest to the limit, and what binds there."""
    part = machine.evidence.targetrl
    known = [(found, row) for row in machine.measured("steady state") if (found := share_of(machine, row)) is not None]
    if not known:
        return f"Not measured on {machine.name}: {plain(part.no_limits)}." if part.no_limits else NONE
    found, row = max(known, key=lambda pair: pair[0])
    limit = limit_of(part, row.extra_info)
    binds = "" if limit is None else f"; {limit.binds} binds"
    return f"On {machine.name}, {_name(row)} at N = {_n(row)} comes to {found:.0%} of what the device can do at most{binds}."


def of_starts(machine: Machine) -> str:
    """The quickest and the slowest way from nothing to a trained population."""
    rows = machine.measured("cold start")
    if not rows:
        return NONE
    seconds = {_start(row): median_interval(row.stats.data).value for row in rows}
    quick, slow = min(seconds, key=lambda name: seconds[name]), max(seconds, key=lambda name: seconds[name])
    return (
        f"On {machine.name}, from the start of a process to its first trained population {quick} takes {duration(seconds[quick])}, "
        f"{slow} {duration(seconds[slow])}."
    )


def of_courses(found: Sequence[Trajectories]) -> str:
    """How far the variants are from the oracle at most."""
    known = [(furthest(course), len(course.variants)) for one in found for course in one.courses if course.variants]
    if not known:
        return "Nothing of this was recorded: python -m bench trajectories does."
    distance = max(distance for distance, _ in known)
    count = max(count for _, count in known)
    aside = "policies whose course hangs on a rounding error aside"
    return f"Up to {count} variants lie upon the oracle's wide lines, none further off than {distance:,.0f} ULP, {aside}."


def of_maps(found: Sequence[Trajectories]) -> str:
    """What share of a map's starts comes to the target, by objective."""
    maps = found[0].maps if found else []
    said = [f"under {plain(one.objective)} {share(one, 'at_target'):.0%} of these starts end at target" for one in maps]
    return (
        f"After {maps[0].steps} steps, {', '.join(said)}." if said else "Nothing of this was recorded: python -m bench trajectories does."
    )


def of_absences(machines: Sequence[Machine]) -> str:
    """How many rows have a number, and how many do not."""
    absent = [absence for machine in machines for absence in machine.evidence.targetrl.absent]
    withheld = sum(absence.kind == "withheld" for absence in absent)
    measured = sum(len(machine.evidence.benchmarks) for machine in machines)
    return (
        f"{measured:,} rows converged identically and have a number; {withheld:,} did not and are withheld; "
        f"{len(absent) - withheld:,} were not measured."
    )


def _is_like(row: Benchmark, other: Benchmark, variant: str) -> bool:
    mine, theirs = row.extra_info, other.extra_info
    return (mine.variant, mine.objective, mine.steps) == (variant, theirs.objective, theirs.steps)


def _name(row: Benchmark) -> str:
    return plain(row.extra_info.variant)


def _n(row: Benchmark) -> str:
    return f"{row.extra_info.policies:,}"


def _start(row: Benchmark) -> str:
    return _name(row) + (f" with {'an empty' if row.extra_info.cache == 'empty' else 'a warm'} cache" if row.extra_info.cache else "")
