"""`eager`: the listing itself, nn.Module, autograd and torch.optim, one policy after another."""

from functools import partial

import torch
from torch import Tensor

from targetrl_core.history import History
from targetrl_core.listing.policy import (
    LOSSES,
    Policy,
    Step,
    Terms,
    adam_state,
    constants_of,
    listing_loss,
    optimizer_of,
    train_each,
)
from targetrl_core.population import Population
from targetrl_core.problem import Problem
from targetrl_core.variants.variant import Train, Variant, not_portable, too_slow


def unsupported(problem: Problem, _device: torch.device, n: int) -> str | None:
    """Eager runs everywhere, natively, up to a limit of patience."""
    return not_portable(problem, "eager") or too_slow(problem, n, "eager")


def prepare(problem: Problem, device: torch.device, n: int) -> Train:
    """There is nothing to prepare: each call has a module of its own, which each policy's start is copied into."""
    problem.check_policies(n)

    def train(population: Population, history: History | None) -> Population:
        model = Policy(device)
        return train_each(problem, population, history, model, partial(_begin, problem, population, model))

    return train


def _begin(problem: Problem, population: Population, model: Policy, policy: int) -> tuple[torch.optim.Optimizer, Step]:
    """The optimiser of one policy, with its moments, and its step."""
    c = constants_of(problem, policy)
    optimizer = optimizer_of(problem.optimizer, model.parameters(), c.lr, c.betas, c.eps)
    for name, parameter in model.fc.named_parameters() if problem.optimizer == "adam" else ():
        optimizer.state[parameter] = adam_state(population, name, slice(policy, policy + 1), parameter.shape)
    x, target, k, sigma = (
        torch.full((1, 1), value, device=population.device, dtype=torch.float32) for value in (c.x, c.target, c.k, c.sigma)
    )

    def step(noise: Tensor, baseline: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        z, output = model(x)
        if problem.objective == "detached":
            loss, _ = listing_loss(z, output, c.target, c.k)
            reward = loss.detach()  # nothing is kept of it
        else:
            loss, reward = LOSSES[problem.objective](z, output, Terms(target, k, sigma, noise, baseline))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return z, output, reward

    return optimizer, step


EAGER = Variant("eager", unsupported, prepare)
