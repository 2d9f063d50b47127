"""Certified pools: populations larger than a row needs, so that no variant can foresee which slice a round trains."""

import random
from dataclasses import dataclass, field, replace

from targetrl_core import Population, Problem
from targetrl_core.convergence import Expectation
from targetrl_core.verification import certify, with_bits

SPARE = 4096
"""Policies that a pool holds beyond N: as many offsets to begin at, one more."""


@dataclass(frozen=True)
class Slice:
    """N policies of a pool and what they have to become."""

    population: Population
    expectation: Expectation


@dataclass(frozen=True)
class Pool:
    """N + 4096 policies, and what each has to become."""

    n: int
    population: Population
    expectation: Expectation

    def draw(self) -> Slice:
        """N policies from a random offset on; copies, so that a variant can reach no others."""
        start = random.SystemRandom().randrange(SPARE + 1)
        stop = start + self.n
        return Slice(self.population.slice(start, stop).clone(), self.expectation.slice(start, stop))


@dataclass
class Pools:
    """The pools of a session, each certified once; the last few of them, since the largest take gigabytes."""

    kept: dict[tuple[Problem, int], Pool] = field(default_factory=dict)
    most: int = 4

    def of(self, problem: Problem, n: int) -> Pool:
        """The pool of a problem for rows of n policies."""
        key = (problem.replace(arithmetic="native"), n)
        if key not in self.kept:
            population = Population.initialise(n + SPARE, seed=0)
            self.kept[key] = Pool(n, population, certify(key[0], population))
            for old in list(self.kept)[: -self.most]:
                del self.kept[old]
        pool = self.kept[key]
        return replace(pool, expectation=with_bits(pool.expectation, problem, pool.population))
