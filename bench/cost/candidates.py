"""What could be used for a problem: each variant of each device that has rows for it, with what its time is predicted from."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from msgspec import Struct

from bench.cost.curves import WARM, ColdStart, Curve, cold_starts, curves, timed, total
from bench.cost.predict import NO_GROWTH, StepGrowth, fit, of_steps, parts, seconds, tells, within
from bench.evidence.kinds import Kind
from bench.evidence.machine import Machine
from bench.evidence.schema import Absence, Cell, Part
from targetrl_core.listing.defaults import OBJECTIVES
from targetrl_core.names import OPTIMIZERS

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


class Choice(Struct, frozen=True, kw_only=True):
    """What a candidate is predicted to take, with the 95 % interval of the rows around, and what has to be said of that.

    ``absence`` is why the evidence has no row of that many policies, where it says so: then it is not recommended.
    """

    label: str
    device: str
    variant: str
    cache: str | None
    seconds: float
    low: float
    high: float
    identity: str
    marks: str
    remarks: list[str]
    absence: str | None


class Way(NamedTuple):
    """What the evidence has to tell the time of a variant on a device by: what `recommend` and the page's script go by.

    Attributes:
        kind: what is trained; the steps are those of the rows.
        curve: its rows, and what is taken for rows at N that it has none of.
        own: the N of its own rows.
        borrowed: from where the others are taken; empty where there are none.
        growth: what is known of a call's growth with steps.
        absences: N past the last row, and why there is none of so many.
    """

    part: Part
    kind: Kind
    curve: Curve
    own: list[int]
    borrowed: str
    growth: StepGrowth
    absences: list[tuple[int, str]]


class Candidate(NamedTuple):
    """A variant on a device.

    Attributes:
        curve: its rows, as they would be of the steps that are wanted.
        start: its cold start, ``WARM`` where that does not count.
        remarks: what its time is told from, where that is not rows of the problem itself.
    """

    way: Way
    curve: Curve
    start: ColdStart
    remarks: list[str]

    def absence(self, policies: int) -> str | None:
        """Why the evidence has no row of so many; None where it has nothing to say."""
        return next((reason for n, reason in self.way.absences if n <= policies), None)

    def usable_seconds(self, policies: int) -> float | None:
        """Seconds until so many policies are trained; None where the evidence advises against it, or cannot tell."""
        usable = tells(self.curve, policies) and self.absence(policies) is None
        return total(self.start.seconds, seconds(self.curve, policies)).value if usable else None

    def choice(self, policies: int) -> Choice:
        """All that is known of so many policies, of which its rows tell."""
        rows = [point for point, _ in parts(self.curve, policies)]
        low, value, high = total(self.start.seconds, seconds(self.curve, policies))
        beyond = [] if within(self.curve, policies) else [f"extrapolated from N = {rows[0].policies:,}"]
        return Choice(
            label=self.way.part.label, device=self.way.part.device, variant=str(self.way.kind.variant), cache=self.start.cache,
            seconds=value, low=low, high=high,
            identity="bitwise" if all(row.identity == "bitwise" for row in rows) else "bounded",
            marks="".join(dict.fromkeys("".join(row.marks for row in rows))),
            remarks=[*beyond, *self.remarks], absence=self.absence(policies),
        )  # fmt: skip


def candidates(machines: Sequence[Machine], wanted: Wanted) -> Iterator[Candidate]:
    """Every variant with rows for it; of cold starts, one for each state of the compiler's cache that was measured."""
    for machine in machines:
        starts = cold_starts(machine) if wanted.cold else [WARM]
        for way in _nearest(ways(machine), wanted):
            if tells(way.curve, wanted.policies):
                yield from (_candidate(way, wanted, start) for start in starts if start.variant in (None, way.kind.variant))


def _nearest(known: Iterable[Way], wanted: Wanted) -> Iterator[Way]:
    """Of each variant that trains this the way whose steps are nearest."""
    fits = [way for way in known if (way.kind.objective, way.kind.arithmetic) == (wanted.objective, wanted.arithmetic)]
    for variant in dict.fromkeys(way.kind.variant for way in fits):
        own = [way for way in fits if way.kind.variant == variant]
        yield min(own, key=lambda way: max(way.kind.steps / wanted.steps, wanted.steps / way.kind.steps))


def _candidate(way: Way, wanted: Wanted, start: ColdStart) -> Candidate:
    steps = way.kind.steps
    granted = (
        (way.borrowed and wanted.policies not in way.own, way.borrowed),
        (wanted.steps != steps, f"from {steps} steps {'by their growth' if way.growth.fixed else 'in proportion'}"),
        (start.processes == 1, "start of one process"),
    )
    return Candidate(way, of_steps(way.curve, wanted.steps / steps, way.growth), start, [text for holds, text in granted if holds])


def ways(machine: Machine) -> Iterator[Way]:
    """What a device has rows for; what did not converge identically, or cannot train an objective, is left out."""
    by_kind = curves(machine)
    adam = [kind for kind in by_kind if kind.optimizer == OPTIMIZERS[0]]
    lent = [kind._replace(objective=other) for kind in adam if kind.objective == FIRST for other in ALIKE]
    for kind in dict.fromkeys((*adam, *lent)):
        absent = {cell: why for cell, why in machine.absent.items() if (cell.variant, cell.arithmetic) == (kind.variant, kind.arithmetic)}
        if _trains(by_kind, kind, absent):
            curve, borrowed = _filled(by_kind, kind)
            own = [point.policies for point in by_kind.get(kind, ())]
            absences = [
                (cell.policies, absence.reason)
                for cell, absence in absent.items()
                if cell.question == "steady state" and cell.objective in (FIRST, kind.objective) and cell.policies > curve[-1].policies
            ]
            yield Way(machine.evidence.targetrl, kind, curve, own, borrowed, growth_of(machine, kind.variant, kind.steps), absences)


def _filled(by_kind: Mapping[Kind, Curve], kind: Kind) -> tuple[Curve, str]:
    """The curve, with what is taken for rows at N that it has none of, and from where that is.

    The suite measures other objectives than the first at few N only. What costs the same has the first one's rows. Of what costs more, one
    row tells of other N too: in proportion to N, but for the a of the first objective's a + b·N.
    """
    first, curve = by_kind.get(kind._replace(objective=FIRST), ()), by_kind.get(kind, ())
    if kind.objective in ALIKE:
        by_size = {point.policies: point for point in (*first, *curve)}
        return tuple(by_size[n] for n in sorted(by_size)), f"by rows of {FIRST}" if len(by_size) > len(curve) else ""
    if len(curve) != 1 or curve[0].policies == 1 or len(first) <= 1:
        return curve, ""
    (row,) = curve
    share = min(fit(timed(first))[0] / row.seconds.value, 1.0)
    single = row.times(share + (1 - share) / row.policies)._replace(policies=1)
    return (single, row), f"by its one row of {kind.objective}, N = {row.policies:,}, and what a call costs for {FIRST}"


def growth_of(machine: Machine, variant: str | None, steps: int) -> StepGrowth:
    """The growth that was measured of the variant, whatever the objective and arithmetic: it tells what a call takes."""
    rows = [row for row in machine.measured("growth with steps") if row.extra_info.variant == variant]
    by_steps = {row.extra_info.steps: machine.seconds(row).value for row in rows}
    if len(by_steps) <= 1:
        return NO_GROWTH
    fixed, step = fit(list(by_steps.items()))
    return StepGrowth(fixed, fixed + step * steps)


def _trains(by_kind: Mapping[Kind, Curve], kind: Kind, absent: Mapping[Cell, Absence]) -> bool:
    """Whether the variant can train the objective, and converged identically wherever it was tried.

    It cannot where it has no row of it, and for one a reason that the first objective has not: where that is the size, such as too many
    policies for one after another, both have the reason.
    """
    own, first = ([absent[cell] for cell in absent if cell.objective == objective] for objective in (kind.objective, FIRST))
    if any(absence.kind == "withheld" for absence in own):
        return False
    if any(kind._replace(optimizer=other.optimizer, steps=other.steps) == other for other in by_kind):
        return True
    return {absence.reason for absence in own} <= {absence.reason for absence in first}
