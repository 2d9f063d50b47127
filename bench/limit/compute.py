"""The limit, from what was measured of a device and counted of the work. Imports no torch."""

from typing import NamedTuple

from bench.evidence.kinds import kind_of
from bench.evidence.schema import Cell, Limits, Part, Work


class Limit(NamedTuple):
    """Policy-steps per second that no variant can exceed, and the term that says so."""

    speed: float
    binds: str


def limit_of_work(work: Work, limits: Limits, steps: int | None) -> Limit:
    """The limit of some work: each unit of the device works at its own pace, at best all at the same time, and the slowest decides.

    Divisions and roots share a unit. They can be replaced by an approximation and Newton's steps, and half of them be so while the divider
    does the others: both paces count, together. Adders and multipliers may be one unit, which their mixture tells. Memory is passed once
    in a run of ``steps``, where the state is read, and written; with None it is left out, as what fits a cache passes none.
    """
    divisions = limits.divisions + (limits.newton_divisions or 0.0)
    roots = limits.roots + (limits.newton_roots or 0.0)
    seconds = {
        "division and root": work.divisions / divisions + work.roots / roots,
        "multiplication": work.multiplications / limits.multiplications,
        "addition": work.additions / limits.additions,
    }
    if limits.mixed is not None:
        seconds["addition and multiplication"] = (work.additions + work.multiplications) / limits.mixed
    if steps is not None:
        seconds["memory"] = work.moved_bytes / steps / limits.copied_bytes
    binds = max(seconds, key=lambda term: seconds[term])
    return Limit(1 / seconds[binds], binds)


def limit_of(part: Part, cell: Cell) -> Limit | None:
    """The limit of a cell; None where the file does not tell what it takes to know it.

    Older files know the divider's pace alone: theirs is the limit of variants that divide.
    """
    work = next((work for work in part.work if kind_of(work) == kind_of(cell).step), None)
    if work is None or part.limits is None or not cell.steps:
        return None
    return limit_of_work(work, part.limits, cell.steps)
