"""`batched-vmap`: the recipe of torch.func for ensembles, stacked parameters under vmap(grad), with torch.optim."""

import torch
from torch import Tensor
from torch.func import functional_call, grad, vmap

from targetrl_core.history import History
from targetrl_core.listing.policy import (
    LOSSES,
    Policy,
    Terms,
    adam_state,
    baseline_of,
    collect,
    constants_of,
    noise_of_steps,
    optimizer_of,
    trained_state,
)
from targetrl_core.population import Population
from targetrl_core.problem import Problem
from targetrl_core.variants.variant import Train, Variant, not_portable, shared_by_optimizer

Parameters = dict[str, Tensor]


def unsupported(problem: Problem, _device: torch.device, _n: int) -> str | None:
    """Runs everywhere, natively, where the optimiser's constants are the same for all policies."""
    return not_portable(problem, "batched-vmap") or shared_by_optimizer(
        problem, ("lr", "beta1", "beta2", "eps"), "torch.optim takes no per-policy constants"
    )


def prepare(problem: Problem, device: torch.device, n: int) -> Train:
    """Put the constants on the device; vmap itself has no cold start to speak of."""
    problem.check_policies(n)
    c = problem.constants(device)
    x, target, k, sigma = (0 if value.ndim else None for value in (c.x, c.target, c.k, c.sigma))

    def train(population: Population, history: History | None) -> Population:
        # functional_call puts the parameters into its module for a while: each call has one of its own.
        gradients = vmap(grad(_loss_of(problem.objective), has_aux=True), in_dims=(0, x, target, k, sigma, 1, 0))
        stacked = {"weight": population.weight.reshape(-1, 1, 1).clone(), "bias": population.bias.reshape(-1, 1).clone()}
        optimizer = _optimizer(problem, population, stacked)
        baseline = baseline_of(problem, population)
        for step, noise in enumerate(noise_of_steps(problem, population)):
            by_name, (z, output, reward) = gradients(stacked, c.x, c.target, c.k, c.sigma, noise, baseline)
            if problem.keeps_baseline:
                baseline = baseline + (reward - baseline) * c.baseline_rate
            if history is not None:
                history.record(step, z, output)
            for name, parameter in stacked.items():
                parameter.grad = by_name[name]
            optimizer.step()
        columns = trained_state(optimizer, stacked, -1) | ({"baseline": baseline} if problem.keeps_baseline else {})
        return collect(population, columns, problem.steps)

    return train


def _loss_of(objective: str):  # type: ignore[no-untyped-def]  # noqa: ANN202 — what vmap and grad take is untyped
    model = Policy(torch.device("meta"))
    loss_of = LOSSES[objective]

    def loss(  # noqa: PLR0913 — vmap takes each on its own
        parameters: Parameters, x: Tensor, target: Tensor, k: Tensor, sigma: Tensor, noise: Tensor, baseline: Tensor
    ) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor]]:
        z, output = functional_call(model, {f"fc.{name}": value for name, value in parameters.items()}, (x.reshape(1, 1),))
        value, reward = loss_of(z, output, Terms(target, k, sigma, noise.reshape(-1, 1, 1), baseline))
        return value.squeeze(), (z.squeeze(), output.squeeze(), reward.squeeze())

    return loss


def _optimizer(problem: Problem, population: Population, stacked: Parameters) -> torch.optim.Optimizer:
    c = constants_of(problem, 0)
    # fused is the fastest of torch.optim's forms here, on the CPU as well.
    optimizer = optimizer_of(problem.optimizer, stacked.values(), c.lr, c.betas, c.eps, fused=True)
    for name, parameter in stacked.items() if problem.optimizer == "adam" else ():
        state = adam_state(population, name, slice(None), parameter.shape)
        # The fused kernel reads the step count where the parameters are.
        optimizer.state[parameter] = state | {"step": state["step"].to(parameter.device)}
    return optimizer


BATCHED_VMAP = Variant("batched-vmap", unsupported, prepare)
