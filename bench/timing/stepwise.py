"""A variant used a step at a time, as a loop that looks at each output uses it: what one update costs when nothing can be foreseen."""

import torch

from targetrl_core import Population, Problem, Variant
from targetrl_core.history import History
from targetrl_core.variants import Train


def stepwise(variant: Variant) -> Variant:
    """The variant prepared for one step and called as many times as the problem has steps, going on from its own result."""

    def unsupported(problem: Problem, device: torch.device, n: int) -> str | None:
        return variant.unsupported(problem, device, n)

    def prepare(problem: Problem, device: torch.device, n: int) -> Train:
        one = variant.prepare(problem.replace(steps=1), device, n)

        def train(population: Population, history: History | None) -> Population:
            for step in range(problem.steps):
                population = one(population, None if history is None else history.rows(step, step + 1))
            return population

        # Later steps than the first may find the moments in another form: the cold start is to be over when prepare is.
        train(Population.fresh(torch.zeros(n, device=device), torch.zeros(n, device=device)), None)
        return train

    return Variant(variant.name, unsupported, prepare)
