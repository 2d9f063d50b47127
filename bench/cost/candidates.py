"""What could be used for a problem: each variant of each device that has rows for it, with what its time is predicted from."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from bench.cost.curves import Curve, Kind, curves
from bench.cost.intervals import total
from bench.cost.predict import Predictor
from bench.cost.starting import Start, starts
from bench.evidence.records import Interval
from bench.report.machine import Machine
from targetrl_core.names import OBJECTIVES, OPTIMIZERS


class Wanted(NamedTuple):
    """What is to be trained; ``cold`` counts the start of the process."""

    policies: int
    steps: int
    objective: str
    arithmetic: str
    cold: bool


@dataclass(frozen=True)
class Candidate:
    """A variant on a device; ``start`` is its cold start, None where it is warm."""

    machine: Machine
    variant: str
    predictor: Predictor
    borrowed: bool
    start: Start | None

    def seconds(self, policies: int, steps: int) -> Interval:
        """Seconds until so many policies are trained."""
        call = self.predictor.seconds(policies, steps)
        return call if self.start is None else total(self.start.seconds, call)

    def absence(self, wanted: Wanted, policies: int) -> str | None:
        """Why the evidence has no row at a size past the last one measured and up to N; None where it has nothing to say."""
        for cell, absence in self.machine.absent.items():
            mine = (cell.question, cell.variant, cell.arithmetic) == ("steady state", self.variant, wanted.arithmetic)
            if mine and self.predictor.largest < cell.policies <= policies:
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
        if variant is None or kind is None or _withheld(machine, variant, wanted):
            continue
        curve, borrowed = _filled(mine, kind, wanted)
        if len(curve) <= 1 and not _stands(curve, wanted.policies):  # one row tells nothing of other sizes
            continue
        predictor = _predictor(machine, kind, curve)
        known: Iterable[Start | None] = [one for one in starts(machine) if one.variant == variant] if wanted.cold else [None]
        for start in known:
            yield Candidate(machine, variant, predictor, borrowed and not _stands(mine.get(kind, ()), wanted.policies), start)


def _nearest(mine: dict[Kind, Curve], wanted: Wanted) -> Kind | None:
    """What the curve is called whose steps are nearest, of those in this arithmetic; it may have no rows of the objective."""
    fits = [kind for kind in mine if (kind.optimizer, kind.arithmetic) == (OPTIMIZERS[0], wanted.arithmetic)]
    best = min(fits, key=lambda kind: max(kind.steps / wanted.steps, wanted.steps / kind.steps), default=None)
    return None if best is None else best._replace(objective=wanted.objective)


def _filled(mine: dict[Kind, Curve], kind: Kind, wanted: Wanted) -> tuple[Curve, bool]:
    """The curve, with the rows of the first objective at sizes it has none of: the suite measures the others at large sizes only.

    An objective is a few multiplications, which a call that is all dispatch does not show.
    """
    first = {point.policies: point for point in mine.get(kind._replace(objective=OBJECTIVES[0]), ())}
    own = {point.policies: point for point in mine.get(kind, ())}
    whole = first | own
    return tuple(whole[n] for n in sorted(whole)), wanted.objective != OBJECTIVES[0] and bool(first.keys() - own.keys())


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
        if all(getattr(facts, name) == getattr(cell, name) for name in ("variant", "objective", "optimizer", "arithmetic", "policies")):
            by_steps.setdefault(facts.steps, machine.seconds(row).value)
    return Predictor(curve, kind.steps, tuple(sorted(by_steps.items())) if len(by_steps) > 1 else ())


def _withheld(machine: Machine, variant: str, wanted: Wanted) -> bool:
    """Whether it did not converge identically on this problem at any size: then it is no candidate at all."""
    return any(
        (cell.variant, cell.objective, cell.arithmetic) == (variant, wanted.objective, wanted.arithmetic)
        for cell, absence in machine.absent.items()
        if absence.kind == "withheld"
    )
