"""Certified pools: populations larger than a row needs, so that no variant can foresee which slice a round trains."""

import random
from dataclasses import dataclass, field, replace

import torch

from targetrl_core import Population, Problem, train
from targetrl_core.convergence import Expectation
from targetrl_core.outcomes import AT_TARGET
from targetrl_core.verification import certify, with_bits

SPARE = 4096
"""Policies that a pool holds beyond N: as many offsets to begin at, one more."""

SHARE_AT_TARGET, SAMPLED, MOST_STEPS = 0.95, 10_000, 300
"""When a population counts as trained, how many policies tell, and how long they are given."""


@dataclass(frozen=True)
class Slice:
    """N policies of a pool, what they have to become, and the first one's number."""

    population: Population
    expectation: Expectation
    start: int


@dataclass(frozen=True)
class Pool:
    """N + 4096 policies, and what each has to become."""

    n: int
    population: Population
    expectation: Expectation

    def draw(self, n: int | None = None) -> Slice:
        """``n`` policies (by default N) from a random offset on; copies, so that a variant can reach no others."""
        count = self.n if n is None else n
        start = random.SystemRandom().randrange(self.population.n - count + 1)
        stop = start + count
        return Slice(self.population.slice(start, stop).clone(), self.expectation.slice(start, stop), start)


@dataclass
class Pools:
    """The pools of a session, each certified once; the last few of them, since the largest take gigabytes."""

    kept: dict[tuple[Problem, int], Pool] = field(default_factory=dict)
    steps: dict[Problem, int | None] = field(default_factory=dict)
    most: int = 4

    def of(self, problem: Problem, n: int) -> Pool:
        """The pool of a problem for rows of n policies: policies 0 … n + 4095 of seed 0."""
        key = (problem.replace(arithmetic="native"), n)
        if key not in self.kept:
            population = Population.initialise(n + SPARE, seed=0)
            self.kept[key] = Pool(n, population, certify(key[0], population))
            for old in list(self.kept)[: -self.most]:
                del self.kept[old]
        pool = self.kept[key]
        return replace(pool, expectation=with_bits(pool.expectation, problem, pool.population))

    def steps_to_target(self, problem: Problem) -> int | None:
        """Updates after which 95 % of 10,000 policies are at target under `pathwise`; None where they never are, in 300."""
        if problem.objective != "pathwise":
            return None
        key = problem.replace(arithmetic="native", steps=MOST_STEPS)
        if key not in self.steps:
            outputs = train(key, Population.initialise(SAMPLED), variant="batched", record=True).history
            self.steps[key] = None if outputs is None else _first_trained(key, outputs)
        return self.steps[key]


def _first_trained(problem: Problem, outputs: torch.Tensor) -> int | None:
    """The first row of outputs, [steps, N], of which the share at target is large enough: as many updates came before it."""
    target = torch.as_tensor(problem.target, dtype=torch.float64, device="cpu")
    trained = ((outputs.double() - target).abs() <= AT_TARGET).double().mean(1) >= SHARE_AT_TARGET
    return int(trained.nonzero()[0]) if bool(trained.any()) else None
