"""The timed rounds of a row: what each begins with, what is timed, and what is checked once its clock has stopped."""

import random
from typing import Any

import torch

from bench.timing.identical import raise_unless_empty
from bench.timing.returned import Returned
from bench.timing.rounds import FreshRound, Rounds
from targetrl_core import Population
from targetrl_core.convergence import Expectation, check, passes
from targetrl_core.variants import Train

_CHANCE = random.SystemRandom()


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
