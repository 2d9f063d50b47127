"""`batched`: the closed-form step on population tensors, plain PyTorch."""

import torch

from targetrl_core.history import History
from targetrl_core.population import Population
from targetrl_core.problem import Problem
from targetrl_core.step import begin, corrections, end, rule_for, step
from targetrl_core.variants.variant import Train, Variant


def unsupported(_problem: Problem, _device: torch.device, _n: int) -> str | None:
    """Runs everything everywhere."""
    return None


def prepare(problem: Problem, device: torch.device, n: int) -> Train:
    """Put the constants on the device."""
    problem.check_policies(n)
    c = problem.constants(device)
    corrections(problem, 0, device)

    def train(population: Population, history: History | None) -> Population:
        rule = rule_for(problem, population)
        state = begin(rule, population, c)
        for t, row in enumerate(corrections(problem, population.age, device)):
            state, forward = step(rule, state, c, row)
            if history is not None:
                history.record(t, *forward)
        return end(rule, population, state, problem.steps)

    return train


BATCHED = Variant("batched", unsupported, prepare)
