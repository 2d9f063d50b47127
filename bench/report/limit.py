"""A row's share of what its device can do at most, from what was measured of the device and counted of the work."""

from typing import NamedTuple

from bench.evidence.schema import Benchmark, Cell, Limits, Part
from bench.report.cells import scaled
from bench.report.machine import Machine


class Limit(NamedTuple):
    """Policy-steps per second that no variant can exceed, and the term that says so."""

    speed: float
    binds: str


def limit_of(part: Part, cell: Cell) -> Limit | None:
    """The limit of a cell: each unit of the device works at its own pace, at best all at the same time, and the slowest decides.

    Divisions and roots share a unit. Memory is passed once in a run: the state is read, and written.
    """
    work = next((one for one in part.work if (one.objective, one.optimizer, one.arithmetic) == _kind(cell)), None)
    limits = part.limits
    if work is None or limits is None or not cell.steps:
        return None
    seconds = {
        "division and root": work.divisions / limits.divisions + work.roots / limits.roots,
        "multiplication": work.multiplications / limits.multiplications,
        "addition": work.additions / limits.additions,
        "memory": work.moved_bytes / cell.steps / limits.copied_bytes,
    }
    binds = max(seconds, key=lambda term: seconds[term])
    return Limit(1 / seconds[binds], binds)


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
        + f" of float32 numbers; {scaled(limits.copied_bytes)} bytes read and written by a copy."
    ]


def _kind(cell: Cell) -> tuple[str | None, str | None, str | None]:
    return cell.objective, cell.optimizer, cell.arithmetic
