"""Identity: whether a trained population is the one that the problem calls for, policy by policy, tensor by tensor.

Two levels. *Bitwise*: the bits of `batched` in portable arithmetic. *Bounded*: every state tensor of every policy within a bound
derived from the problem: the oracle's FACTOR times how far float32 rounding may carry it. A policy whose course hangs on a rounding
error is *ambiguous*: it is counted. Where there are more of them than the steps explain, nothing is proven of a population whose other
policies are right: it is *undecided*, which is no identity, but the problem's doing.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Self

import torch
from torch import Tensor

from targetrl_core.listing.outcomes import AT_TARGET, Outcomes, count_codes, outcome_codes, outputs_of
from targetrl_core.oracle import Reference, reference
from targetrl_core.population import STATE_NAMES, Population
from targetrl_core.problem import Problem
from targetrl_core.rounding import FACTOR

Level = Literal["bitwise", "bounded", "undecided", "diverged"]

UNDECIDED = "undecided: "
"""What a reason begins with that says nothing against a variant."""


AMBIGUOUS_SHARE: dict[str, dict[int, float]] = {
    "detached": {1000: 2.5e-4},
    "detached/sgd": {10: 2.5e-4, 1000: 1.2e-3},
    "pathwise": {10: 1e-4, 50: 3.5e-3, 100: 0.022, 300: 0.16, 1000: 0.5},
    "reinforce": {300: 2.5e-4, 1000: 2e-3},
    # At a learning rate of 0.5 a third of the policies amplify rounding errors without end: Adam's moves are bounded, these are not.
    "reinforce/sgd": {10: 0.04, 50: 0.5},
}
"""The share of ambiguous policies that a number of steps may bring, by objective, or objective and optimiser: about twice what
the specification's starts show in results/bounds.json, and at most half."""

MOST_AMBIGUOUS = 0.5
"""Of a larger share nothing can be said: it would be of the fewer policies."""

ROUNDING = 2.0**-22
"""Of an output itself: a few ulp of a number below 1."""


@dataclass(frozen=True)
class Identity:
    """What the check of one trained population found.

    Attributes:
        level: ``bitwise``, ``bounded``, ``undecided`` or ``diverged``.
        policies: how many were checked.
        ulp: largest distance from the oracle of each state tensor, in ulp of the largest magnitude on the policy's path; policies
            that are undetermined aside.
        used: the same in shares of the bound; at most 1 where nothing diverged.
        ambiguous: policies whose course or outcome hangs on a rounding error, so that either way is right.
        flips: unambiguous policies whose outcome is not the oracle's.
        outcomes: where the policies ended.
        reasons: why the population is not identical, one line each, first what is wrong, then what is undecided; empty where it is.
    """

    level: Level
    policies: int
    ulp: dict[str, float]
    used: dict[str, float]
    ambiguous: int
    flips: int
    outcomes: Outcomes
    reasons: tuple[str, ...]

    @property
    def identical(self) -> bool:
        """Whether the population converged as it should."""
        return not self.reasons

    @property
    def max_ulp(self) -> float:
        """Largest distance of any state tensor, in ulp."""
        return max(self.ulp.values())


@dataclass(frozen=True)
class Expectation:
    """What a population has to become; everything on the CPU, [N] each.

    Attributes:
        problem: what it is trained on.
        age: updates that the policies will have had.
        policies: indices of the checked policies where not all are, in order; [N] or None.
        reference: what the oracle says.
        bounds: per state tensor the smallest and the largest float32 value that is right.
        outcome: code of the oracle's outcome, an index into ``Outcomes``; int8.
        unsure: whether that outcome hangs on a rounding error; bool.
        bits: the population that portable arithmetic makes of it, or None under native arithmetic.
    """

    problem: Problem
    age: int
    policies: Tensor | None
    reference: Reference
    bounds: dict[str, tuple[Tensor, Tensor]]
    outcome: Tensor
    unsure: Tensor
    bits: Population | None

    def slice(self, start: int, stop: int) -> Self:
        """The expectation for policies ``start`` … ``stop − 1`` alone: of those that are checked, those among them."""
        part, policies = slice(start, stop), self.policies
        if policies is not None:
            part = slice(*torch.searchsorted(policies, torch.tensor([start, stop], dtype=torch.int64, device="cpu")).tolist())
            policies = policies[part] - start
        return replace(
            self,
            problem=self.problem.take(part),
            policies=policies,
            reference=self.reference.slice(part.start, part.stop),
            bounds={name: (low[part], high[part]) for name, (low, high) in self.bounds.items()},
            outcome=self.outcome[part],
            unsure=self.unsure[part],
            bits=None if self.bits is None else self.bits.slice(part.start, part.stop),
        )


def expect(problem: Problem, population: Population, *, policies: Tensor | None = None) -> Expectation:
    """What ``population`` has to become by the oracle: of all policies, or of those whose indices are given."""
    if policies is not None:
        problem, population = problem.take(policies), population.take(policies)
    ref = reference(problem, population)
    bounds = {name: _bounds(ref, name) for name in ref.state}
    outcome, unsure = _outcome(problem, ref)
    return Expectation(problem, population.age + problem.steps, policies, ref, bounds, outcome, unsure, None)


def allowed_ambiguous(problem: Problem, n: int) -> int:
    """How many of n policies may be undetermined: the share for its steps and five standard deviations more; of several, at most half."""
    table = AMBIGUOUS_SHARE.get(f"{problem.objective}/{problem.optimizer}") or AMBIGUOUS_SHARE[problem.objective]
    last = max(table)
    steps = min((known for known in table if known >= problem.steps), default=last)
    expected = n * min(table[steps] * max(problem.steps / last, 1.0), MOST_AMBIGUOUS)
    return min(math.ceil(expected + 5.0 * math.sqrt(expected) + 1.0), max(int(MOST_AMBIGUOUS * n), 1))


def undecided(reasons: Iterable[str]) -> bool:
    """Whether reasons, of which there is one, say only that nothing can be said."""
    return all(reason.startswith(UNDECIDED) for reason in reasons)


def _bounds(ref: Reference, name: str) -> tuple[Tensor, Tensor]:
    """Smallest and largest float32 value that is right; any finite one where the policy is undetermined."""
    room = FACTOR * ref.reach[name]
    largest = torch.finfo(torch.float32).max
    low = _outwards(ref.state[name] - room, -torch.inf).masked_fill(ref.undetermined, -largest)
    high = _outwards(ref.state[name] + room, torch.inf).masked_fill(ref.undetermined, largest)
    return low, high


def _outwards(value: Tensor, towards: float) -> Tensor:
    """The float32 number next to a float64 one, on the side of ``towards`` or equal to it."""
    rounded = value.to(torch.float32)
    inside = rounded.double() > value if towards < 0 else rounded.double() < value
    return torch.where(inside, torch.nextafter(rounded, torch.full_like(rounded, towards)), rounded)


def _outcome(problem: Problem, ref: Reference) -> tuple[Tensor, Tensor]:
    """Codes of the oracle's outcomes, and which of them a rounding error could change."""
    reach = FACTOR * ref.logit_reach
    low, high = torch.sigmoid(ref.logit - reach) - ROUNDING, torch.sigmoid(ref.logit + reach) + ROUNDING
    codes = [outcome_codes(o, problem) for o in (torch.sigmoid(ref.logit), low, high)]
    wide = high - low > AT_TARGET  # could reach past a whole outcome
    return codes[0], ref.undetermined | wide | (codes[1] != codes[0]) | (codes[2] != codes[0])


def check(expectation: Expectation, trained: Population) -> Identity:
    """Compare a trained population with what it has to be; every policy, every state tensor."""
    malformed = _malformed(expectation, trained)
    if malformed:
        unknown = dict.fromkeys(STATE_NAMES, math.inf)
        return Identity("diverged", 0, unknown, unknown, 0, 0, Outcomes(0, 0, 0, 0), malformed)
    trained = _snapshot(expectation, trained)
    tensors = trained.tensors()
    reasons = [*_wrong_bits(expectation, trained), *_out_of_bounds(expectation, tensors)]
    codes = outcome_codes(outputs_of(expectation.problem, trained), expectation.problem)
    flipped = (codes != expectation.outcome) & ~expectation.unsure
    if bool(flipped.any()):
        reasons.append(
            f"{int(flipped.sum())} policies have another outcome, the first is policy {numbered(expectation, int(flipped.nonzero()[0]))}"
        )
    if trained.age != expectation.age:
        reasons.append(f"the population has had {trained.age} updates where {expectation.age} are right")
    reasons += _too_ambiguous(expectation)
    ulp, used = _distances(expectation, tensors)
    return Identity(
        level=_level(expectation, reasons),
        policies=trained.n,
        ulp=ulp,
        used=used,
        # Where the bits are known, nothing is left to doubt.
        ambiguous=int(expectation.unsure.sum()) if expectation.bits is None else 0,
        flips=int(flipped.sum()),
        outcomes=count_codes(codes),
        reasons=tuple(reasons),
    )


def _too_ambiguous(expectation: Expectation) -> Iterable[str]:
    """A reason where more policies hang on a rounding error than may, so that the others prove nothing."""
    n, undetermined = len(expectation.outcome), int(expectation.reference.undetermined.sum())
    allowed = allowed_ambiguous(expectation.problem, n)
    if undetermined > allowed and expectation.bits is None:
        yield f"{UNDECIDED}{undetermined} of {n} policies hang on a rounding error: at most {allowed} may; portable arithmetic decides"


def _level(expectation: Expectation, reasons: Sequence[str]) -> Level:
    if reasons:
        return "undecided" if undecided(reasons) else "diverged"
    return "bounded" if expectation.bits is None else "bitwise"


def passes(expectation: Expectation, trained: Population) -> bool:
    """Whether every state tensor is what it has to be: what ``check`` decides by, without the figures."""
    if _malformed(expectation, trained) or trained.age != expectation.age or any(_too_ambiguous(expectation)):
        return False
    trained = _snapshot(expectation, trained)
    return not (any(_wrong_bits(expectation, trained)) or any(_out_of_bounds(expectation, trained.tensors())))


def _malformed(expectation: Expectation, trained: Population) -> tuple[str, ...]:
    """Why a result is no population that can be compared."""
    if type(trained) is not Population or vars(trained).keys() != Population.__dataclass_fields__.keys():
        return (f"the result is of type {type(trained).__name__}; it must be a Population itself, with nothing of its own",)
    tensors = trained.tensors()
    if not expectation.bounds.keys() <= tensors.keys():
        return (f"the trained population has no {', '.join(expectation.bounds.keys() - tensors.keys())}",)
    kinds = {type(tensor).__name__ for tensor in tensors.values() if type(tensor) is not Tensor}
    if kinds:
        return (f"the trained population holds {', '.join(sorted(kinds))} where plain tensors are right",)
    last = len(expectation.outcome) - 1 if expectation.policies is None else int(expectation.policies[-1])
    if trained.n <= last or (expectation.policies is None and trained.n != last + 1):
        return (f"the trained population has {trained.n} policies where {last + 1} are right",)
    return ()


def _snapshot(expectation: Expectation, trained: Population) -> Population:
    """The checked policies on the CPU, copied before anything else so that nothing can change them any more."""
    if expectation.policies is not None:
        trained = trained.take(expectation.policies.to(trained.device))
    return trained.map(lambda tensor: tensor.detach().to("cpu", copy=True))


def _out_of_bounds(expectation: Expectation, tensors: dict[str, Tensor]) -> Iterable[str]:
    """A reason for each state tensor that leaves its bounds, NaN included unless float32 overflows there."""
    for name, (low, high) in expectation.bounds.items():
        tensor = tensors[name]
        if not torch.equal(tensor, tensor.clamp(low, high)):  # two passes over memory instead of four; NaN equals nothing
            inside = (tensor >= low) & (tensor <= high) | expectation.reference.overflowing
            count = len(tensor) - int(inside.sum())
            if count:
                yield f"{name} of {count} policies out of bounds: {_worst(expectation, name, tensor, ~inside)}"


def _worst(expectation: Expectation, name: str, tensor: Tensor, outside: Tensor) -> str:
    expected = expectation.reference.state[name]
    distance = (tensor.double() - expected).abs().nan_to_num(torch.inf) / (expectation.reference.ulp[name])
    policy = int(torch.where(outside, distance, -1.0).argmax())
    bound = float(expectation.bounds[name][1][policy].double() - expected[policy])
    return _divergence(expectation, policy, name, tensor[policy], expected[policy], bound)


def _divergence(  # noqa: PLR0913 — what the line says
    expectation: Expectation, position: int, name: str, value: Tensor, expected: Tensor, bound: float
) -> str:
    """Where a checked policy's state tensor is, and where it should be."""
    where = f"policy {numbered(expectation, position)}, after step {expectation.age}, {name}"
    return f"{where}: {float(value):.9g} where {float(expected):.9g} ± {bound:.2g} is right"


def numbered(expectation: Expectation, position: int) -> int:
    """The index in the whole population of a checked policy."""
    return position if expectation.policies is None else int(expectation.policies[position])


def _wrong_bits(expectation: Expectation, trained: Population) -> Iterable[str]:
    """A reason for each state tensor whose bits are not those of portable arithmetic."""
    if expectation.bits is None:
        return
    tensors = trained.tensors()
    for name, right in expectation.bits.tensors().items():
        wrong = (tensors[name].view(torch.int32) != right.view(torch.int32)) & ~(tensors[name].isnan() & right.isnan())
        if bool(wrong.any()):
            policy = int(wrong.nonzero()[0])
            divergence = _divergence(expectation, policy, name, tensors[name][policy], right[policy], 0.0)
            yield f"{name} of {int(wrong.sum())} policies has other bits: {divergence}"


def _distances(expectation: Expectation, tensors: dict[str, Tensor]) -> tuple[dict[str, float], dict[str, float]]:
    """Largest distance of each tensor in ulp and in shares of its bound, undetermined policies aside."""
    ref = expectation.reference
    ulp, used = {}, {}
    for name, state in ref.state.items():
        distance = (tensors[name].double() - state).abs()
        ulp[name] = float((distance / ref.ulp[name]).masked_fill(ref.undetermined, 0.0).max())
        used[name] = float((distance / ref.reach[name]).masked_fill(ref.undetermined, 0.0).max()) / FACTOR
    return ulp, used
