"""verify: does a variant, on a device, converge identically? The examination that every timing has passed."""

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from targetrl_core.convergence import MOST_AMBIGUOUS, Expectation, Identity, check, expect
from targetrl_core.devices import find_device, free_memory
from targetrl_core.history import History
from targetrl_core.modes import new_modes
from targetrl_core.outcomes import Outcomes
from targetrl_core.population import Population
from targetrl_core.probe import probe
from targetrl_core.problem import Problem
from targetrl_core.recorded import check_history, check_rows
from targetrl_core.training import prepared, require
from targetrl_core.variants import Train, Variant, find_variant
from targetrl_core.variants.batched import BATCHED

CHECK_LIMIT = 10_000_000
"""Most policies that are checked one by one; of more, a sample of as many, the hardest among them."""

PROBED = 4096
"""Most policies of a probe population that are checked."""

RECORDED_LEAST = 1000
"""Policies that are recorded however little memory is free: some of them are always checked."""

ROWS_CHECKED = 1024
"""Policies whose recorded rows are compared with the oracle's."""

PROBE_LEAST = 64
"""Fewest policies that are probed: smaller populations are probed again and again."""


@dataclass(frozen=True)
class Report:
    """What the examination of a variant found.

    Attributes:
        variant: its name.
        device: where it ran.
        problem: what it was trained on.
        identity: the check of the population itself.
        reasons: why the variant is not identical, one line each; empty where it is.
        seconds: wall time of the examination, oracle and preparation included.
    """

    variant: str
    device: str
    problem: Problem
    identity: Identity
    reasons: tuple[str, ...]
    seconds: float

    @property
    def identical(self) -> bool:
        """Whether every check passed."""
        return not self.reasons

    @property
    def level(self) -> str:
        """``bitwise``, ``bounded``, ``undecided`` (too many policies hang on a rounding error) or ``diverged``."""
        if self.identical:
            return self.identity.level
        return "undecided" if all(reason.startswith("undecided") for reason in self.reasons) else "diverged"

    @property
    def max_ulp(self) -> float:
        """Largest distance of any state tensor from the oracle, in ulp."""
        return self.identity.max_ulp

    @property
    def ambiguous(self) -> int:
        """Policies whose course hangs on a rounding error."""
        return self.identity.ambiguous

    @property
    def flips(self) -> int:
        """Unambiguous policies whose outcome is not the oracle's."""
        return self.identity.flips

    @property
    def outcomes(self) -> Outcomes:
        """Where the policies ended."""
        return self.identity.outcomes


@new_modes()
def verify(
    problem: Problem,
    population: Population,
    *,
    variant: str | Variant,
    device: str | torch.device = "cpu",
    expectation: Expectation | None = None,
) -> Report:
    """Check that a variant trains ``population`` as the problem calls for.

    It is trained as it would be timed, once more with its outputs recorded, and on probe populations; see ``recorded`` and ``probed``.

    Args:
        problem: the constants.
        population: where to begin; left as it is.
        variant: a name in ``VARIANTS``, or a variant of your own.
        device: where to train.
        expectation: what ``certify`` said of this problem and population, where several variants are verified.

    Raises:
        UsageError: (a ValueError) as ``train`` does.
    """
    since = time.perf_counter()
    place = find_device(device)
    chosen = find_variant(variant) if isinstance(variant, str) else variant
    problem.check_policies(population.n)
    require(chosen, problem, place, population.n)
    expectation = expectation or certify(problem, population)
    handed = problem.replace()
    run = prepared(chosen, handed, place, population.n)
    start = population.to(place)
    timed = run(start.clone(), None)
    identity = check(expectation, timed)
    reasons = (*identity.reasons, *recorded(problem, start, timed, expectation, chosen, run), *probed(problem, run, place, population.n))
    reasons += (*changed_fields(problem, handed), *undecided(expectation))
    return Report(chosen.name, str(place), problem, identity, reasons, time.perf_counter() - since)


def undecided(expectation: Expectation) -> tuple[str, ...]:
    """Why nothing can be said of a population: more than half of its policies are held to no bound."""
    kinked, n = int(expectation.reference.kinked.sum()), len(expectation.outcome)
    if expectation.bits is not None or kinked <= MOST_AMBIGUOUS * n:
        return ()
    return (f"undecided: {kinked} of {n} policies hang on a rounding error; portable arithmetic decides, or fewer steps",)


@new_modes()
def certify(problem: Problem, population: Population) -> Expectation:
    """What ``population`` has to become, with the bits that portable arithmetic makes of it."""
    policies = _sample(problem, population) if population.n > CHECK_LIMIT else None
    return with_bits(expect(problem, population, policies=policies), problem, population)


def with_bits(expectation: Expectation, problem: Problem, population: Population) -> Expectation:
    """The expectation for the problem's arithmetic: with the bits of its checked policies where that is portable, and without elsewhere.

    What the oracle says is the same for every arithmetic, so one expectation serves them all.
    """
    if expectation.policies is not None:
        problem, population = problem.take(expectation.policies), population.take(expectation.policies)
    bits = _portable_bits(problem, population) if problem.arithmetic == "portable" else None
    return replace(expectation, problem=problem, bits=bits)


def recorded(  # noqa: PLR0913 — what a recorded run is compared by
    problem: Problem, start: Population, timed: Population, expectation: Expectation, variant: Variant, train: Train
) -> tuple[str, ...]:
    """Why a recorded run is not that of ``timed``: it ends with other bits, or what it recorded is not the oracle's.

    That is asked of first steps at target, which cannot be read from where policies end, and of the logits and outputs of some policies.
    Where a history takes too much memory, a part of the policies, drawn at random, is recorded: a run of them alone
    against one that is not recorded, both prepared for as many.

    Args:
        problem: the constants.
        start: where the policies began, on the device; not changed.
        timed: what a run that was not recorded made of them; not changed.
        expectation: what they have to become.
        variant: what trained them, to be prepared for a part.
        train: the variant, prepared for all.
    """
    reasons = []
    n = recordable(problem.steps, start.n, start.device)
    if n < start.n:
        first = random.SystemRandom().randrange(start.n - n + 1)
        problem, start = problem.take(slice(first, first + n)), start.slice(first, first + n)
        expectation = expectation.slice(first, first + n)
        train = variant.prepare(problem, start.device, n)
        timed = train(start.clone(), None)
        reasons += [f"recorded: {reason}" for reason in check(expectation, timed).reasons]
    history = History.empty(problem.steps, n, start.device)
    if not same_bits(timed, train(start.clone(), history)):
        reasons.append("a recorded run does not end with the bits of the timed one")
    if expectation.policies is not None:
        chosen = expectation.policies.to(history.outputs.device)
        history = History(history.logits[:, chosen], history.outputs[:, chosen])
        problem, start = problem.take(expectation.policies), start.take(chosen)
    return (*reasons, *check_history(expectation, history), *_wrong_rows(problem, start, history))


def _wrong_rows(problem: Problem, start: Population, history: History) -> tuple[str, ...]:
    """What ``check_rows`` says of some policies, drawn at random."""
    n = min(start.n, ROWS_CHECKED)
    first = random.SystemRandom().randrange(start.n - n + 1)
    part = slice(first, first + n)
    columns = History(history.logits[:, part], history.outputs[:, part])
    return check_rows(problem.take(part), start.slice(first, first + n).to("cpu"), columns)


def recordable(steps: int, n: int, device: torch.device) -> int:
    """How many of n policies are recorded: as many as are checked at most, their history and its copies being half of what is free."""
    fitting = free_memory(device) // (4 * History.bytes(steps, 1))
    return min(n, CHECK_LIMIT, max(fitting, RECORDED_LEAST))


def probed(problem: Problem, train: Train, device: torch.device, n: int) -> tuple[str, ...]:
    """Why probe populations of n policies that no one has seen before are not what the oracle expects of them.

    A frozen, cached or replayed result is not.
    """
    generator = torch.Generator(device="cpu")
    generator.seed()
    for start, expectation in _probes(problem, n, generator):
        found = check(expectation, train(start.clone().to(device), None).slice(0, min(n, PROBED)))
        # Probes are hard on purpose: how many come to a kink says nothing.
        reasons = [reason for reason in found.reasons if "hang on a rounding error" not in reason]
        if reasons:
            return tuple(f"probe population: {reason}" for reason in reasons)
    return ()


def _probes(problem: Problem, n: int, generator: torch.Generator) -> Iterator[tuple[Population, Expectation]]:
    """Probe populations of n policies, and what their first ones have to become.

    Of a small population there are several. Where all policies share the constants, the oracle trains them in one go.
    """
    count, part = max(1, PROBE_LEAST // n), min(n, PROBED)
    if problem.per_policy or count == 1:
        for _ in range(count):
            start = probe(problem, n, generator)
            yield start, certify(problem.take(slice(0, part)), start.slice(0, part))
        return
    starts = probe(problem, n * count, generator)
    expectation = certify(problem, starts)
    for first in range(0, n * count, n):
        yield starts.slice(first, first + n), expectation.slice(first, first + n)


def same_bits(one: Population, other: Population) -> bool:
    """Whether two populations hold the same bits in every state tensor, and have the same ones."""
    mine, theirs = one.tensors(), other.tensors()
    return mine.keys() == theirs.keys() and all(
        torch.equal(tensor.view(torch.int32), theirs[name].view(torch.int32)) for name, tensor in mine.items()
    )


def _portable_bits(problem: Problem, population: Population) -> Population:
    """The bits of `batched` on the CPU, from two unequal parts: they must not depend on where a policy stands."""
    cpu, n = torch.device("cpu"), population.n
    cut = n // 3
    parts = []
    for start, stop in ((0, cut), (cut, n)):
        if stop > start:
            asked = problem.take(slice(start, stop))
            parts.append(BATCHED.prepare(asked, cpu, stop - start)(population.to("cpu").slice(start, stop).clone(), None))
    joined = {name: torch.cat([part.tensors()[name] for part in parts]) for name in parts[0].tensors()}
    return replace(population.to("cpu"), **joined, age=parts[0].age)


def _sample(problem: Problem, population: Population) -> Tensor:
    """Indices of the policies checked of a population too large to check whole: the hardest, and evenly spaced ones."""
    z = population.weight.to("cpu") * _float32(problem.x) + population.bias.to("cpu")
    distance = (torch.sigmoid(z) - _hard(problem)).abs()
    hardest = distance.topk(CHECK_LIMIT // 10, largest=False).indices
    spaced = torch.arange(0, population.n, -(-population.n // (CHECK_LIMIT * 9 // 10)), dtype=torch.int64, device="cpu")
    chosen: Tensor = torch.unique(torch.cat((hardest, spaced)))
    return chosen


def _hard(problem: Problem) -> Tensor:
    target, k = _float32(problem.target), _float32(problem.k)
    return target - 1.0 / k if problem.objective == "detached" else target


def _float32(value: object) -> Tensor:
    return torch.as_tensor(value, dtype=torch.float32, device="cpu")


def changed_fields(given: Problem, handed: Problem) -> tuple[str, ...]:
    """A reason for each field that a variant changed in the copy of the problem that it was handed."""

    def same(name: str) -> bool:
        before, after = getattr(given, name), getattr(handed, name)
        return torch.equal(before, after) if isinstance(before, Tensor) and isinstance(after, Tensor) else bool(before == after)

    return tuple(f"the variant changed {field.name} of the problem it was given" for field in fields(given) if not same(field.name))
