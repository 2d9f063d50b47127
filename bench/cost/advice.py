"""What to use for N policies and S steps, by the evidence: what each candidate takes, the fastest, and from where on another is."""

from collections.abc import Callable, Sequence

from msgspec import Struct

from bench.cost.candidates import Candidate, Wanted, candidates
from bench.cost.crossing import NEAR
from bench.evidence.machine import Machine
from targetrl_core.errors import UsageError

PER_DECADE = 20
"""Sizes that are looked at for the next crossing, before it is narrowed down to the very N."""


class Choice(Struct, frozen=True, kw_only=True):
    """What one candidate is predicted to take, with its 95 % interval, and what has to be said of that.

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


class Next(Struct, frozen=True, kw_only=True):
    """The N from which on another one is the fastest."""

    policies: int
    label: str
    device: str
    variant: str
    extrapolated: bool


class Pick(Struct, frozen=True, kw_only=True):
    """The fastest, the runner-up, and the next crossing, looked for up to ``up_to`` policies.

    ``cache`` is the state of the compiler's cache for which it holds, None where that does not matter.
    """

    cache: str | None
    best: Choice
    runner_up: Choice | None
    next: Next | None
    up_to: int


class Advice(Struct, frozen=True, kw_only=True):
    """What was asked, everything there is to choose from, the fastest first, and what to take."""

    policies: int
    steps: int
    objective: str
    arithmetic: str
    cold: bool
    choices: list[Choice]
    picks: list[Pick]
    weak: list[str]


def advise(machines: Sequence[Machine], wanted: Wanted) -> Advice:
    """Predict and rank.

    Raises:
        UsageError: the evidence has nothing to predict it from.
    """
    found = candidates(machines, wanted)
    if not found:
        names = "; ".join(machine.name for machine in machines)
        raise UsageError(
            f"{names}: no {'cold starts' if wanted.cold else 'rows'} of {wanted.objective}, {wanted.arithmetic} arithmetic, "
            f"to tell N = {wanted.policies:,} from"
        )
    known = sorted({one.start.cache for one in found if one.start is not None and one.start.cache is not None})
    caches: Sequence[str | None] = known or [None]
    picks = [_pick([one for one in found if _holds(one, cache)], wanted, cache) for cache in caches]
    return Advice(
        **wanted._asdict(),
        choices=sorted((_choice(one, wanted) for one in found), key=lambda choice: choice.seconds),
        picks=picks,
        weak=[f"{machine.name}: {text}" for machine in machines for text in machine.disturbances],
    )


def _holds(one: Candidate, cache: str | None) -> bool:
    """Whether a candidate starts as it says with the compiler's cache in that state."""
    return one.start is None or one.start.cache in (None, cache)


def _choice(one: Candidate, wanted: Wanted) -> Choice:
    low, value, high = one.seconds(wanted.policies, wanted.steps)
    part = one.machine.evidence.targetrl
    rows = one.predictor.nearest(wanted.policies)
    return Choice(
        label=part.label, device=part.device, variant=one.variant, cache=one.start.cache if one.start else None,
        seconds=value, low=low, high=high,
        identity="bitwise" if all(row.identity == "bitwise" for row in rows) else "bounded",
        marks="".join(dict.fromkeys("".join(row.marks for row in rows))),
        remarks=list(_remarks(one, wanted)),
        absence=one.absence(wanted, wanted.policies),
    )  # fmt: skip


def _remarks(one: Candidate, wanted: Wanted) -> list[str]:
    """What a prediction takes for granted."""
    said: Sequence[tuple[bool, str]] = (
        (not one.predictor.within(wanted.policies), f"extrapolated from N = {one.predictor.nearest(wanted.policies)[0].policies:,}"),
        (bool(one.by), one.by),
        (wanted.steps != one.predictor.steps, one.predictor.of_steps),
        (one.start is not None and one.start.processes == 1, "start of one process"),
    )
    return [text for holds, text in said if holds]


def _pick(found: Sequence[Candidate], wanted: Wanted, cache: str | None) -> Pick:
    """Of what can be used; of all, where nothing can."""
    usable = [one for one in found if one.absence(wanted, wanted.policies) is None] or list(found)
    ordered = sorted(usable, key=lambda one: one.seconds(wanted.policies, wanted.steps).value)
    up_to = max(wanted.policies, NEAR * max(one.predictor.largest for one in found))
    return Pick(
        cache=cache,
        best=_choice(ordered[0], wanted),
        runner_up=_choice(ordered[1], wanted) if len(ordered) > 1 else None,
        next=_next(found, ordered[0], wanted, up_to),
        up_to=up_to,
    )


def _next(found: Sequence[Candidate], best: Candidate, wanted: Wanted, up_to: int) -> Next | None:
    """The first N past the one asked for at which another candidate is the fastest."""

    def fastest(policies: int) -> Candidate:
        usable = [one for one in found if one.predictor.line and one.absence(wanted, policies) is None]
        return min(usable, key=lambda one: one.seconds(policies, wanted.steps).value, default=best)

    before = wanted.policies
    while before < up_to:
        after = min(max(before + 1, round(before * 10 ** (1 / PER_DECADE))), up_to)
        if fastest(after) is not best:
            n = _first(lambda policies: fastest(policies) is not best, before, after)
            other = fastest(n)
            part, beyond = other.machine.evidence.targetrl, not (other.predictor.within(n) and best.predictor.within(n))
            return Next(policies=n, label=part.label, device=part.device, variant=other.variant, extrapolated=beyond)
        before = after
    return None


def _first(holds: Callable[[int], bool], low: int, high: int) -> int:
    """The smallest number above ``low`` that a property holds for, which it does for ``high``, if it holds from some number on."""
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high
