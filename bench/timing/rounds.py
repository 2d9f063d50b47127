"""Rounds: fresh policies, drawn where nobody can foresee them, some of which are known to the gate alone.

Which policies a round has is drawn for it, so that what was trained before is of no use. What they have to become is known beforehand of
some of them, which stand at places that are drawn too, and is found out afterwards of all of them in a round that nobody knows before.
"""

import random
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from bench.evidence.schema import Cell, Question
from bench.timing.guards import raise_unless_empty
from bench.timing.returned import Returned
from targetrl_core import Population, Problem
from targetrl_core.certification import drawn_places, unforeseen, with_bits
from targetrl_core.convergence import Expectation, check, expect, passes
from targetrl_core.variants import Train

_CHANCE = random.SystemRandom()

KNOWN = 1024
"""Most policies of a round that are known beforehand."""


@dataclass(frozen=True)
class FreshRound:
    """N policies, fresh on the CPU, and what the known ones among them have to become."""

    population: Population
    expectation: Expectation


@dataclass
class Rounds:
    """What the rounds of a row are drawn from: ``parts`` times as many known policies as a round has, each part for one round.

    Once all have been used they are used again, in another order.
    """

    problem: Problem
    n: int
    known: Population
    expectation: Expectation
    order: list[int] = field(default_factory=list)

    @classmethod
    def of(cls, problem: Problem, n: int, parts: int) -> "Rounds":
        """Draw the known policies, and find out what they have to become."""
        known = fresh_policies(problem, min(n, KNOWN) * parts)
        return cls(problem, n, known, with_bits(expect(problem, known), problem, known))

    def draw(self) -> FreshRound:
        """A round that nobody has seen before."""
        count = min(self.n, KNOWN)
        if not self.order:
            self.order = random.SystemRandom().sample(range(self.known.n // count), self.known.n // count)
        first = self.order.pop() * count
        known, expectation = self.known.slice(first, first + count), self.expectation.slice(first, first + count)
        if count < self.n:
            places, population = drawn_places(self.n, count), fresh_policies(self.problem, self.n)
            population.weight[places], population.bias[places] = known.weight, known.bias
            if isinstance(population.seeds, Tensor) and isinstance(known.seeds, Tensor):
                population.seeds[places] = known.seeds
            expectation = replace(expectation, policies=places)
        else:
            population = known.clone()
        if not _draws_noise(self.problem):  # a variant that needs no seeds is not told whose policies these are
            population = replace(population, seeds=range(self.n))
        return FreshRound(population, expectation)


def cell_of(question: Question, variant: str, problem: Problem, n: int, **more: Any) -> Cell:  # noqa: ANN401 — Cell's own fields
    """The cell of a row that trains n policies."""
    return Cell(
        question=question,
        policies=n,
        steps=problem.steps,
        variant=variant,
        objective=problem.objective,
        optimizer=problem.optimizer,
        arithmetic=problem.arithmetic,
        **more,
    )


def fresh_policies(problem: Problem, n: int) -> Population:
    """n fresh policies that begin as ``nn.Linear(1, 1)`` does, weight and bias uniform in [−1, 1); seeds where the problem draws noise."""
    generator = unforeseen()
    weight, bias = (torch.rand(n, generator=generator, dtype=torch.float32, device="cpu") * 2.0 - 1.0 for _ in range(2))
    if not _draws_noise(problem):
        return Population.fresh(weight, bias)
    return Population.fresh(weight, bias, torch.randint(-(2**63), 2**63 - 1, (n,), generator=generator, dtype=torch.int64, device="cpu"))


def _draws_noise(problem: Problem) -> bool:
    return problem.objective == "reinforce"


class TimedRounds:
    """One variant's rounds. ``chosen`` is where the policies of one of them began and what they became; any may turn out to be it."""

    chosen: tuple[Population, Population]

    def __init__(self, rounds: Rounds, train: Train, device: torch.device) -> None:
        self.rounds, self.train, self.device = rounds, train, device
        self.checked = 0
        self._first: tuple[Expectation, Population] | None = None
        self._round: FreshRound
        self._result: Returned

    def setup(self) -> tuple[tuple[Population, int], dict[str, Any]]:
        """Draw a round: what ``run`` is called with."""
        self._round = self.rounds.draw()
        return (self._round.population.clone().to(self.device), _CHANCE.randrange(self.rounds.n)), {}

    def run(self, population: Population, place: int) -> None:
        """What is timed: train, and read one policy."""
        self._result = Returned.read(self.train(population, None), place)

    def check_kept(self) -> None:
        """Raise NotIdenticalError unless what the first round returned is still what it was."""
        if self._first is not None and not passes(*self._first):
            raise_unless_empty(("a result changed when the variant was called again",))

    def check(self, *_: object) -> None:
        """Raise NotIdenticalError unless the known policies became what they have to, and stayed it."""
        expectation, trained = self._round.expectation, self._result.trained
        if not passes(expectation, trained):
            raise_unless_empty(check(expectation, trained).reasons)
        raise_unless_empty(self._result.faults())  # after the check: looking at it may be what trains it
        self._first = self._first or (expectation, trained)
        self.checked += 1
        if _CHANCE.randrange(self.checked) == 0:  # each round is the chosen one as likely as any other
            self.chosen = (self._round.population, trained)
