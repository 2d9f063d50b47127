"""What could be used for a problem: each variant of each device that has rows for it, with what its time is predicted from."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from bench.cost.curves import Curve, curves
from bench.cost.intervals import total
from bench.cost.model import line_through
from bench.cost.predict import Predictor
from bench.cost.starting import Start, starts
from bench.evidence.kinds import Kind, kind_of
from bench.evidence.machine import Machine
from bench.evidence.records import Interval
from bench.evidence.schema import Cell
from targetrl_core.names import OBJECTIVES, OPTIMIZERS

FIRST = OBJECTIVES[0]
ALIKE = (FIRST, "pathwise")
"""Objectives that cost the same but for a few multiplications. The noise of `reinforce` is most of its work."""


class Wanted(NamedTuple):
    """What is to be trained; ``cold`` counts the start of the process."""

    policies: int
    steps: int
    objective: str
    arithmetic: str
    cold: bool


@dataclass(frozen=True)
class Candidate:
    """A variant on a device; ``start`` is its cold start, None where it is warm.

    ``by`` says which rows its time is told from, where there are others than the objective's own around N.
    """

    machine: Machine
    variant: str
    predictor: Predictor
    by: str
    start: Start | None

    def seconds(self, policies: int, steps: int) -> Interval:
        """Seconds until so many policies are trained."""
        call = self.predictor.seconds(policies, steps)
        return call if self.start is None else total(self.start.seconds, call)

    def absence(self, wanted: Wanted, policies: int) -> str | None:
        """Why the evidence has no row at a size past the last one measured and up to N; None where it has nothing to say."""
        for cell, absence in self.machine.absent.items():
            mine = (cell.question, cell.variant, cell.arithmetic) == ("steady state", self.variant, wanted.arithmetic)
            if mine and cell.objective in (FIRST, wanted.objective) and self.predictor.largest < cell.policies <= policies:
                return absence.reason
        return None


def candidates(machines: Sequence[Machine], wanted: Wanted) -> list[Candidate]:
    """Every variant with rows for it; of cold starts, one for each state of the compiler's cache that was measured."""
    return [candidate for machine in machines for candidate in _of(machine, wanted)]


def _of(machine: Machine, wanted: Wanted) -> Iterator[Candidate]:
    found = curves(machine)
    for variant in dict.fromkeys(kind.variant for kind in found):
        mine = {kind: curve for kind, curve in found.items() if kind.variant == variant}
        kind = _nearest(mine, wanted)
        if variant is None or kind is None or _withheld(machine, variant, wanted) or _cannot(machine, variant, wanted):
            continue
        curve, by = _filled(mine, kind)
        if len(curve) <= 1 and not _stands(curve, wanted.policies):  # one row tells nothing of other sizes
            continue
        predictor = _predictor(machine, kind, curve)
        known: Iterable[Start | None] = [one for one in starts(machine) if one.variant == variant] if wanted.cold else [None]
        for start in known:
            yield Candidate(machine, variant, predictor, "" if _stands(mine.get(kind, ()), wanted.policies) else by, start)


def _nearest(mine: dict[Kind, Curve], wanted: Wanted) -> Kind | None:
    """What the curve is called whose steps are nearest, of those in this arithmetic; it may have no rows of the objective itself."""
    objectives = (wanted.objective, FIRST) if wanted.objective in ALIKE else (wanted.objective,)
    fits = [
        kind for kind in mine if (kind.optimizer, kind.arithmetic) == (OPTIMIZERS[0], wanted.arithmetic) and kind.objective in objectives
    ]
    best = min(fits, key=lambda kind: max(kind.steps / wanted.steps, wanted.steps / kind.steps), default=None)
    return None if best is None else best._replace(objective=wanted.objective)


def _filled(mine: dict[Kind, Curve], kind: Kind) -> tuple[Curve, str]:
    """The curve, with what is taken for rows at sizes that it has none of, and from where that is.

    The suite measures other objectives than the first at few sizes only. What costs the same has the first one's rows.
    """
    first, own = mine.get(kind._replace(objective=FIRST), ()), mine.get(kind, ())
    if kind.objective not in ALIKE:
        return _in_proportion(first, own, kind)
    whole = {point.policies: point for point in (*first, *own)}
    borrowed = kind.objective != FIRST and len(whole) > len(own)
    return tuple(whole[n] for n in sorted(whole)), f"by rows of {FIRST}" * borrowed


def _in_proportion(first: Curve, own: Curve, kind: Kind) -> tuple[Curve, str]:
    """Rows of an objective that costs more. One row alone tells of other sizes in proportion to N, but for what a call costs.

    That is at least what a call costs for the first objective, by which the value goes. At most it is as much more as the row takes more:
    where an objective has more operations, each has to be called. The interval reaches up to that.
    """
    line = line_through(first)
    if len(own) != 1 or line is None or own[0].policies == 1:
        return own, ""
    (row,), (_, smallest, *_) = own, first[0]
    low, value, high = (
        _of_one(row.policies, seconds, line.dispatch * known / smallest.value) for seconds, known in zip(row.seconds, smallest, strict=True)
    )
    most = row.seconds.high * line.seconds(1) / line.seconds(row.policies)
    said = f"by its one row of {kind.objective}, N = {row.policies:,}, and what a call costs for {FIRST}"
    return (row._replace(policies=1, seconds=Interval(low, value, max(high, most))), row), said


def _of_one(policies: int, seconds: float, dispatch: float) -> float:
    """Seconds of a call for one policy, if so many take ``seconds`` and all but ``dispatch`` is in proportion."""
    fixed = min(dispatch, seconds)
    return fixed + (seconds - fixed) / policies


def _stands(curve: Curve, policies: int) -> bool:
    return any(point.policies == policies for point in curve)


def _predictor(machine: Machine, kind: Kind, curve: Curve) -> Predictor:
    """The curve with the growth that was measured of the variant, whatever the objective and arithmetic: it tells what a call takes."""
    rows = [row for row in machine.measured("growth with steps") if row.extra_info.variant == kind.variant]
    if not rows:
        return Predictor(curve, kind.steps)
    cell = rows[0].extra_info
    by_steps = {row.extra_info.steps: machine.seconds(row).value for row in rows if row.extra_info.policies == cell.policies}
    for row in machine.measured("steady state"):
        facts = row.extra_info
        if kind_of(facts)._replace(steps=cell.steps) == kind_of(cell) and facts.policies == cell.policies:
            by_steps.setdefault(facts.steps, machine.seconds(row).value)
    return Predictor(curve, kind.steps, tuple(sorted(by_steps.items())) if len(by_steps) > 1 else ())


def _cannot(machine: Machine, variant: str, wanted: Wanted) -> bool:
    """Whether it has no row of the objective, and for one a reason that the first objective has not: then it cannot train it.

    Where it is the size, such as too many policies for one after another, both have the reason.
    """
    if any(_is(cell, variant, wanted.objective, wanted) for cell in machine.rows):
        return False
    reasons, others = (
        {absence.reason for cell, absence in machine.absent.items() if _is(cell, variant, objective, wanted)}
        for objective in (wanted.objective, FIRST)
    )
    return bool(reasons - others) and wanted.objective != FIRST


def _is(cell: Cell, variant: str, objective: str, wanted: Wanted) -> bool:
    place = (cell.question, cell.variant, cell.objective, cell.arithmetic)
    return place == ("steady state", variant, objective, wanted.arithmetic)


def _withheld(machine: Machine, variant: str, wanted: Wanted) -> bool:
    """Whether it did not converge identically on this problem at any size: then it is no candidate at all."""
    return any(
        (cell.variant, cell.objective, cell.arithmetic) == (variant, wanted.objective, wanted.arithmetic)
        for cell, absence in machine.absent.items()
        if absence.kind == "withheld"
    )
