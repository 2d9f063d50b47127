"""What to use for N policies and S steps, by the evidence: what each candidate takes, the fastest, and from where on another is."""

import math
from collections.abc import Sequence

from msgspec import Struct

from bench.cost.candidates import Candidate, Choice, Wanted, candidates
from bench.cost.predict import crossings, within
from bench.evidence.machine import Machine
from targetrl_core.errors import UsageError

NEAR = 10
"""How many times beyond the largest row another is still looked for that becomes the fastest."""


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
    known = list(candidates(machines, wanted))
    if not known:
        names = "; ".join(machine.name for machine in machines)
        raise UsageError(
            f"{names}: no {'cold starts' if wanted.cold else 'rows'} of {wanted.objective}, {wanted.arithmetic} arithmetic, "
            f"to tell N = {wanted.policies:,} from"
        )
    caches: list[str | None] = [*sorted({cache for candidate in known if (cache := candidate.start.cache) is not None})]
    return Advice(
        **wanted._asdict(),
        choices=sorted((candidate.choice(wanted.policies) for candidate in known), key=lambda choice: choice.seconds),
        picks=[_pick(known, wanted.policies, cache) for cache in caches or [None]],
        weak=[f"{machine.name}: {text}" for machine in machines for text in machine.disturbances],
    )


def _pick(everything: Sequence[Candidate], policies: int, cache: str | None) -> Pick:
    """Of what can be used with the compiler's cache in that state; of all, where nothing can."""
    known = [candidate for candidate in everything if candidate.start.cache in (None, cache)]
    choices = [candidate.choice(policies) for candidate in known]
    usable = [choice for choice in choices if choice.absence is None] or choices
    best, *others = sorted(usable, key=lambda choice: choice.seconds)
    up_to = max(policies, NEAR * max(candidate.curve[-1].policies for candidate in known))
    next_ = _next(known, policies, up_to)
    return Pick(cache=cache, best=best, runner_up=others[0] if others else None, next=next_, up_to=up_to)


def _next(known: Sequence[Candidate], policies: int, up_to: int) -> Next | None:
    """The first N past the one asked for at which another candidate is the fastest."""
    sizes = {point.policies for candidate in known for point in candidate.curve}
    absent = {n for candidate in known for n, _ in candidate.way.absences}
    ends = {n for n in (policies, up_to, *sizes, *absent, *(n - 1 for n in absent)) if policies <= n <= up_to}

    def times(n: int) -> dict[int, float]:
        return {index: time for index, candidate in enumerate(known) if (time := candidate.usable_seconds(n)) is not None}

    crossing = next(crossings(times, ends), None)
    if crossing is None:
        return None
    n = crossing.high if crossing.at is None else math.floor(crossing.at) + 1
    before, after = known[crossing.before], known[crossing.after]
    part = after.way.part
    beyond = not (within(before.curve, n) and within(after.curve, n))
    return Next(policies=n, label=part.label, device=part.device, variant=str(after.way.kind.variant), extrapolated=beyond)
