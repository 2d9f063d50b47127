"""What a variant is asked beside the run that is timed, since what is never examined can be wrong.

Populations that nobody has seen before and that are hard to train, some that go on from where they ended, recorded runs, other problems,
and every way of training that the variant offers. What is drawn is drawn anew each time, so that nothing of it can be foreseen.
"""

import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace

import torch
from torch import Tensor

from targetrl_core import certification
from targetrl_core.certification import certify, drawn_places, same_bits, unforeseen
from targetrl_core.convergence import Expectation, check, undecided
from targetrl_core.devices import free_memory
from targetrl_core.history import History
from targetrl_core.listing.probe import probe
from targetrl_core.population import Population
from targetrl_core.problem import CONSTANTS, Problem
from targetrl_core.recorded import first_step_faults, history_faults, output_faults, row_faults
from targetrl_core.surroundings import Surroundings
from targetrl_core.variants import Train, Variant
from targetrl_core.variants.variant import EndState

PROBED = 4096
"""Most policies of a probe population that are checked; of more, as many, drawn at random."""

PROBE_LEAST = 64
"""Fewest policies that are probed: smaller populations are probed again and again."""

RECORDED_LEAST = 1000
"""Policies that are recorded however little memory is free: some of them are always checked."""

ROWS_CHECKED = 1024
"""Policies whose recorded rows are compared with the oracle's."""

FEWER_STEPS = (17, 19, 23, 29, 31, 37, 41, 43, 47)
OTHER_POLICIES, OTHER_STEPS = range(4, 9), (211, 223, 227, 229, 233, 239, 241, 251)
"""Of the other problems that a variant is examined with: few enough policies for one that trains them one after another, and numbers of
steps that no other divides, which a loop that takes several at a time has to come to the end of."""

AGAIN, AGAIN_SECONDS = 12, 0.1
"""How often a population is trained again, and after how long no more."""

PLAIN_POLICIES = range(200, 1000)
"""Of the problem itself, where policies are trained in another way."""

OTHER = {
    "target": (0.5, 0.9),
    "k": (3.0, 7.0),
    "x": (0.7, 1.4),
    "lr": (0.05, 0.15),
    "beta1": (0.5, 0.95),
    "beta2": (0.9, 0.9995),
    "eps": (1e-8, 1e-6),
    "sigma": (0.03, 0.1),
    "baseline_decay": (0.5, 0.9),
}
"""From where to where its constants are drawn."""

SHARED_BY_NO_OPTIMIZER = ("target", "k", "x", "sigma", "baseline_decay")
"""Those that an optimiser of PyTorch, which has one number of each of its own, knows nothing of."""

_CHANCE = random.SystemRandom()


def training_faults(problem: Problem, train: Train, device: torch.device, n: int) -> Iterator[str]:
    """Why what a variant has prepared for n policies does not train them as the problem calls for, a line each.

    It trains probe populations that no one has seen before; a frozen, cached or replayed result is not the right one. One of them goes on
    from where it ended, again and again; where it ended has to be the same after all.
    """
    for start, expectation in _probes(problem, n):
        trained, changes = _trained_alone(train, start.clone().to(device))
        faults = (*_faults("probe population", expectation, trained), *changes)
        if faults:
            yield from faults
            return
    kept = trained.clone()
    yield from _going_on_faults(problem, train, kept)
    if not same_bits(trained, kept):
        yield "a result changed when the variant was called again"


def _trained_alone(train: Train, start: Population) -> tuple[Population, tuple[str, ...]]:
    """What becomes of a population in a thread of its own, where who asks for it does not stand on the stack; and what it left changed."""

    def alone() -> tuple[Population, tuple[str, ...]]:
        before = Surroundings.look()
        return train(start, None), before.put_back()

    pool = ThreadPoolExecutor(1)
    try:
        return pool.submit(alone).result()
    finally:
        pool.shutdown(wait=False)  # who is interrupted does not wait for what hangs


def _going_on_faults(problem: Problem, train: Train, trained: Population) -> Iterator[str]:
    """Why a population on the device does not go on as the problem calls for: as if it were new but for its moments, and at its age."""
    for age in (0, trained.age):
        start = replace(trained, age=age)
        expectation = certify(problem, start.to("cpu"), _checked_places(start.n))
        yield from _again_faults("a population that goes on", train, start, expectation)


def _again_faults(what: str, train: Train, start: Population, expectation: Expectation) -> Iterator[str]:
    """Why a population on the device does not become what it has to, each time that it is trained."""
    begun = time.perf_counter()
    for _ in range(AGAIN):
        faults = tuple(_faults(what, expectation, train(start.clone(), None)))
        if faults or time.perf_counter() - begun > AGAIN_SECONDS:
            yield from faults
            return


def _faults(what: str, expectation: Expectation, trained: Population) -> Iterator[str]:
    """What is wrong with a trained population. Where it was drawn to be hard, how many courses are not determined says nothing."""
    for reason in check(expectation, trained).reasons:
        if not undecided([reason]):
            yield f"{what}: {reason}"


def _checked_places(n: int) -> Tensor | None:
    return drawn_places(n, PROBED) if n > PROBED else None


def _probes(problem: Problem, n: int) -> Iterator[tuple[Population, Expectation]]:
    """Probe populations of n policies, and what they have to become, or some of them where they are many.

    Of a small population there are several. Where all policies share the constants, the oracle trains them in one go.
    """
    count, generator = max(1, PROBE_LEAST // n), unforeseen()
    if problem.per_policy or count == 1:
        for _ in range(count):
            start = probe(problem, n, generator)
            yield start, certify(problem, start, _checked_places(n))
        return
    starts = probe(problem, n * count, generator)
    expectation = certify(problem, starts)
    for first in range(0, n * count, n):
        yield starts.slice(first, first + n), expectation.slice(first, first + n)


def variant_faults(problem: Problem, variant: Variant, device: torch.device) -> Iterator[str]:
    """Why a variant does not train other problems than the one that it is asked about, or not in every way that it offers, a line each.

    Of two problems with the listing's constants one has few steps, the other more, and constants of each policy's own. Policies that are
    trained from their seeds, or with the first steps at target told, have to be those that are trained otherwise.
    """
    listing = problem.replace(**{name: getattr(Problem(), name) for name in CONSTANTS})
    n = _CHANCE.choice(OTHER_POLICIES)
    for other in (listing.replace(steps=_CHANCE.choice(FEWER_STEPS)), _other_problem(listing, variant, device, n)):
        if other is not None and variant.unsupported(other, device, n) is None:
            start = probe(other, n, unforeseen())
            trained = variant.prepare(other, device, n)(start.clone().to(device), None)
            yield from _faults("another problem", certify(other, start), trained)
            yield from _other_ways_faults(other, variant, device, n)
    plain = problem.replace(**{name: float(value[0]) for name, value in problem.per_policy.items()})
    yield from _other_ways_faults(plain, variant, device, _CHANCE.choice(PLAIN_POLICIES))


def _other_problem(problem: Problem, variant: Variant, device: torch.device, n: int) -> Problem | None:
    """A problem of n policies with other steps, and with as many constants of each policy's own as the variant can have; None if none."""
    uniform = torch.rand(len(OTHER), n, generator=unforeseen(), dtype=torch.float64, device="cpu")
    drawn = {name: low + (high - low) * row for row, (name, (low, high)) in zip(uniform, OTHER.items(), strict=True)}
    steps = _CHANCE.choice(OTHER_STEPS)
    others = (problem.replace(steps=steps, **{name: drawn[name] for name in names}) for names in (OTHER, SHARED_BY_NO_OPTIMIZER, ()))
    return next((other for other in others if variant.unsupported(other, device, n) is None), None)


def _other_ways_faults(problem: Problem, variant: Variant, device: torch.device, n: int) -> Iterator[str]:
    """What is wrong with policies that are trained to the end, where a variant does that on its own: with first steps told, from seeds."""
    if variant.prepare_to_end is None:
        return
    train, start, seed = variant.prepare_to_end(problem, device, n), probe(problem, n, unforeseen()), _CHANCE.randrange(2**62)
    yield from _end_faults("with first steps told", certify(problem, start), train(start))
    yield from _end_faults("trained from seeds", certify(problem, Population.initialise(n, seed)), train(range(seed, seed + n)))


def _end_faults(what: str, expectation: Expectation, ended: EndState) -> Iterator[str]:
    yield from _faults(what, expectation, ended.population)
    wrong = (*first_step_faults(expectation, ended.first_steps.to("cpu")), *output_faults(expectation, ended.outputs.to("cpu")))
    yield from (f"{what}: {reason}" for reason in wrong)


def recording_faults(  # noqa: PLR0913 — what a recorded run is compared by
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
        reasons += list(_faults("recorded", expectation, timed))
    history = History.empty(problem.steps, n, start.device)
    if not same_bits(timed, train(start.clone(), history)):
        reasons.append("a recorded run does not end with the bits of the timed one")
    if expectation.policies is not None:
        chosen = expectation.policies.to(history.outputs.device)
        history = History(history.logits[:, chosen], history.outputs[:, chosen])
        problem, start = problem.take(expectation.policies), start.take(chosen)
    return (*reasons, *history_faults(expectation, history), *_wrong_rows(problem, start, history))


def _wrong_rows(problem: Problem, start: Population, history: History) -> tuple[str, ...]:
    """What ``row_faults`` says of some policies, drawn at random."""
    n = min(start.n, ROWS_CHECKED)
    first = random.SystemRandom().randrange(start.n - n + 1)
    part = slice(first, first + n)
    columns = History(history.logits[:, part], history.outputs[:, part])
    return row_faults(problem.take(part), start.slice(first, first + n).to("cpu"), columns)


def recordable(steps: int, n: int, device: torch.device) -> int:
    """How many of n policies are recorded: as many as are checked at most, their history and its copies being half of what is free."""
    fitting = free_memory(device) // (4 * History.bytes(steps, 1))
    return min(n, certification.CHECK_LIMIT, max(fitting, RECORDED_LEAST))


def changed_fields(given: Problem, handed: Problem) -> tuple[str, ...]:
    """A reason for each field that a variant changed in the copy of the problem that it was handed."""

    def same(name: str) -> bool:
        before, after = getattr(given, name), getattr(handed, name)
        return torch.equal(before, after) if isinstance(before, Tensor) and isinstance(after, Tensor) else bool(before == after)

    return tuple(f"the variant changed {field.name} of the problem it was given" for field in fields(given) if not same(field.name))
