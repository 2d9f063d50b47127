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
        train_step, last = variant.prepare(problem.replace(steps=1), device, n), History.empty(1, n, device)

        def train(population: Population, history: History | None) -> Population:
            for step in range(problem.steps):
                row = last if history is None else history.rows(step, step + 1)
                population = train_step(population, row)
                row.outputs[0, 0].item()  # what the loop would decide by: a GPU has to come to its end
            return population

        # Later steps than the first may find the moments in another form: the cold start is to be over when prepare is.
        train(Population.zeros(n, device), None)
        return train

    return Variant(variant.name, unsupported, prepare)
