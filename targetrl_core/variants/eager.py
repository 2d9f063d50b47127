"""`eager`: the listing itself, nn.Module, autograd and torch.optim, one policy after another."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from targetrl_core.history import History
from targetrl_core.listing.policy import (
    LOSSES,
    Policy,
    PolicyConstants,
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
    x = torch.full((1, 1), c.x, device=population.device, dtype=torch.float32)
    loss_of = _loss_of(problem.objective, c, population.device)

    def step(noise: Tensor, baseline: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        z, output = model(x)
        loss, reward = loss_of(z, output, noise, baseline)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return z, output, reward

    return optimizer, step


def _loss_of(objective: str, c: PolicyConstants, device: torch.device) -> Callable[..., tuple[Tensor, Tensor | None]]:
    """The loss and the reward of one policy, by its logit, output, noise and baseline; the listing's own keeps no reward."""
    if objective == "detached":
        return lambda z, output, _noise, _baseline: (listing_loss(z, output, c.target, c.k)[0], None)
    target, k, sigma = (torch.full((1, 1), value, device=device, dtype=torch.float32) for value in (c.target, c.k, c.sigma))
    return lambda z, output, noise, baseline: LOSSES[objective](z, output, Terms(target, k, sigma, noise, baseline))


EAGER = Variant("eager", unsupported, prepare)
