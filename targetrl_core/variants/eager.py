"""`eager`: the listing itself, nn.Module, autograd and torch.optim, one policy after another."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from targetrl_core.history import History
from targetrl_core.listing.policy import (
    TINY_OUTPUT,
    Policy,
    PolicyConstants,
    Terms,
    adam_state,
    baseline_of,
    constants_of,
    noise_of_policy,
    optimizer_of,
    reinforce_loss,
    train_each,
    trained_state,
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
        return train_each(population, problem.steps, lambda policy: _train_one(problem, model, population, policy, history))

    return train


def _train_one(problem: Problem, model: Policy, population: Population, policy: int, history: History | None) -> dict[str, Tensor]:
    """All steps of one policy; its trained state by name, 0-d each."""
    c = constants_of(problem, policy)
    parameters = {"weight": model.fc.weight, "bias": model.fc.bias}
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(getattr(population, name)[policy])
    optimizer = _optimizer(problem, c, population, policy, parameters)
    x = torch.full((1, 1), c.x, device=population.device, dtype=torch.float32)
    noise = noise_of_policy(problem, population, policy)
    baseline = baseline_of(problem, population, slice(policy, policy + 1)).squeeze(0)
    for step in range(problem.steps):
        z, output = model(x)
        if history is not None:
            history.record(step, z.detach()[0], output.detach()[0], slice(policy, policy + 1))
        if problem.objective == "reinforce":
            loss, reward = reinforce_loss(z, output, _terms(c, noise[step], baseline))
            if problem.keeps_baseline:
                baseline = baseline + (reward.reshape(()) - baseline) * (1.0 - c.baseline_decay)
        else:
            loss = _loss(problem.objective, z, output, c)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return trained_state(optimizer, parameters) | ({"baseline": baseline} if problem.keeps_baseline else {})


def _optimizer(
    problem: Problem, c: PolicyConstants, population: Population, policy: int, parameters: dict[str, nn.Parameter]
) -> torch.optim.Optimizer:
    optimizer = optimizer_of(problem.optimizer, parameters.values(), c.lr, c.betas, c.eps)
    for name, parameter in parameters.items() if problem.optimizer == "adam" else ():
        optimizer.state[parameter] = adam_state(population, name, slice(policy, policy + 1), parameter.shape)
    return optimizer


def _terms(c: PolicyConstants, noise: Tensor, baseline: Tensor) -> Terms:
    target, k, sigma = (torch.tensor(value, device=noise.device, dtype=torch.float32) for value in (c.target, c.k, c.sigma))
    return Terms(target, k, sigma, noise.reshape(-1, 1, 1), baseline)


def _loss(objective: str, z: Tensor, output: Tensor, c: PolicyConstants) -> Tensor:
    """The loss, operation for operation as the listing computes it."""
    if objective == "pathwise":
        return -(1.0 - (output - c.target).abs() * c.k)
    value = output.item()
    reward = 1.0 - abs(value - c.target) * c.k
    log_output = functional.logsigmoid(z) if value < TINY_OUTPUT else torch.log(output)
    return -reward * log_output


EAGER = Variant("eager", unsupported, prepare)
