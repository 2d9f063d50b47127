"""`batched`: the closed-form step on population tensors, plain PyTorch."""

import torch

from targetrl_core.history import History
from targetrl_core.population import Population
from targetrl_core.problem import Problem
from targetrl_core.step import begin, end, rule_for, run_steps, ticks
from targetrl_core.variants.variant import Train, Variant


def unsupported(_problem: Problem, _device: torch.device, _n: int) -> str | None:
    """Runs everything everywhere."""
    return None


def prepare(problem: Problem, device: torch.device, n: int) -> Train:
    """Put the constants on the device."""
    problem.check_policies(n)
    c = problem.constants(device)
    ticks(problem, 0, device)

    def train(population: Population, history: History | None) -> Population:
        rule = rule_for(problem, population)
        state = run_steps(rule, begin(rule, population, c), c, ticks(problem, population.age, device), history)
        return end(rule, population, state, problem.steps)

    return train


BATCHED = Variant("batched", unsupported, prepare)
