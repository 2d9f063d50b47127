"""Rounds: fresh policies, drawn where nobody can foresee them, some of which are known to the gate alone.

Which policies a round has is drawn for it, so that what was trained before is of no use. What they have to become is known beforehand of
some of them, which stand at places that are drawn too, and is found out afterwards of all of them in a round that nobody knows before.
"""

import random
from dataclasses import dataclass, field, replace

import torch

from targetrl_core import Population, Problem
from targetrl_core.certification import drawn_places, unforeseen, with_bits
from targetrl_core.convergence import Expectation, expect

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
            _put(known, population, places)
            expectation = replace(expectation, policies=places)
        else:
            population = known.clone()
        if not _draws_noise(self.problem):  # a variant that needs no seeds is not told whose policies these are
            population = replace(population, seeds=range(self.n))
        return FreshRound(population, expectation)


def fresh_policies(problem: Problem, n: int) -> Population:
    """n fresh policies that begin as ``nn.Linear(1, 1)`` does, weight and bias uniform in [−1, 1); seeds where the problem draws noise."""
    generator = unforeseen()
    weight, bias = (torch.rand(n, generator=generator, dtype=torch.float32, device="cpu") * 2.0 - 1.0 for _ in range(2))
    if not _draws_noise(problem):
        return Population.fresh(weight, bias)
    return Population.fresh(weight, bias, torch.randint(-(2**63), 2**63 - 1, (n,), generator=generator, dtype=torch.int64, device="cpu"))


def _draws_noise(problem: Problem) -> bool:
    return problem.objective == "reinforce"


def _put(policies: Population, population: Population, places: torch.Tensor) -> None:
    """Put fresh policies in some places of a population, instead of those that stand there."""
    population.weight[places], population.bias[places] = policies.weight, policies.bias
    if isinstance(population.seeds, torch.Tensor) and isinstance(policies.seeds, torch.Tensor):
        population.seeds[places] = policies.seeds
