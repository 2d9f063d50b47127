"""A row's share of what its device can do at most, from what was measured of the device and counted of the work."""

from bench.evidence.kinds import kind_of
from bench.evidence.machine import Machine
from bench.evidence.schema import Benchmark, Cell, Limits, Part
from bench.limit import limit
from bench.limit.limit import Limit
from bench.tables.cells import scaled


def limit_of(part: Part, cell: Cell) -> Limit | None:
    """The limit of a cell; None where the file does not tell what it takes to know it.

    Older files know the divider's pace alone: theirs is the limit of variants that divide.
    """
    work = next((work for work in part.work if kind_of(work) == kind_of(cell).step), None)
    if work is None or part.limits is None or not cell.steps:
        return None
    return limit.limit_of(work, part.limits, cell.steps)


def share_of(machine: Machine, row: Benchmark) -> float | None:
    """The share of the limit that a row comes to; None where it is not known."""
    limit = limit_of(machine.evidence.targetrl, row.extra_info)
    return None if limit is None else machine.speed(row).value / limit.speed


def limit_lines(limits: Limits) -> list[str]:
    """What was measured of a device, in words."""
    rates = (
        ("additions", limits.additions),
        ("multiplications", limits.multiplications),
        ("divisions", limits.divisions),
        ("roots", limits.roots),
    )
    return [
        "Per second and on all threads: "
        + ", ".join(f"{scaled(rate)} {name}" for name, rate in rates)
        + " of float32 numbers; "
        + _replacements(limits)
        + f"{scaled(limits.copied_bytes)} bytes read and written by a copy."
    ]


def _replacements(limits: Limits) -> str:
    if limits.newton_divisions is None or limits.newton_roots is None:
        return "division and root by the divider alone; "
    mixed = "" if limits.mixed is None else f"{scaled(limits.mixed)} additions and multiplications in turns; "
    return f"{scaled(limits.newton_divisions)} divisions, {scaled(limits.newton_roots)} roots by approximation and Newton steps; {mixed}"
