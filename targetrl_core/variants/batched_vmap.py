"""`batched-vmap`: the recipe of torch.func for ensembles, stacked parameters under vmap(grad), with torch.optim."""

import torch
from torch import Tensor
from torch.func import functional_call, grad, vmap

from targetrl_core.history import History
from targetrl_core.listing.policy import LOSSES, Policy, Terms, adam_state, baseline_of, collect, noise_of_steps
from targetrl_core.population import Population
from targetrl_core.problem import Problem
from targetrl_core.variants.variant import Train, Variant, not_portable, shared_by_optimizer

Parameters = dict[str, Tensor]
_NAMES = {"weight": "fc.weight", "bias": "fc.bias"}


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
        stacked = {
            "fc.weight": population.weight.reshape(-1, 1, 1).clone(),
            "fc.bias": population.bias.reshape(-1, 1).clone(),
        }
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
        columns = _columns(optimizer, stacked) | ({"baseline": baseline} if problem.keeps_baseline else {})
        return collect(population, columns, problem.steps)

    return train


def _loss_of(objective: str):  # type: ignore[no-untyped-def]  # noqa: ANN202 — what vmap and grad take is untyped
    model = Policy(torch.device("meta"))
    loss_of = LOSSES[objective]

    def loss(  # noqa: PLR0913 — vmap takes each on its own
        parameters: Parameters, x: Tensor, target: Tensor, k: Tensor, sigma: Tensor, noise: Tensor, baseline: Tensor
    ) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor]]:
        z, output = functional_call(model, parameters, (x.reshape(1, 1),))
        value, reward = loss_of(z, output, Terms(target, k, sigma, noise.reshape(-1, 1, 1), baseline))
        return value.squeeze(), (z.squeeze(), output.squeeze(), reward.squeeze())

    return loss


def _optimizer(problem: Problem, population: Population, stacked: Parameters) -> torch.optim.Optimizer:
    # fused is the fastest of torch.optim's forms here, on the CPU as well.
    if problem.optimizer == "sgd":
        return torch.optim.SGD(stacked.values(), lr=float(problem.lr), fused=True)  # type: ignore[arg-type]
    beta1, beta2, lr, eps = (float(value) for value in (problem.beta1, problem.beta2, problem.lr, problem.eps))  # type: ignore[arg-type]
    optimizer = torch.optim.Adam(stacked.values(), lr=lr, betas=(beta1, beta2), eps=eps, fused=True)
    for short, name in _NAMES.items():
        parameter = stacked[name]
        state = adam_state(population, short, slice(None), parameter.shape)
        # The fused kernel reads the step count where the parameters are.
        optimizer.state[parameter] = state | {"step": state["step"].to(parameter.device)}
    return optimizer


def _columns(optimizer: torch.optim.Optimizer, stacked: Parameters) -> Parameters:
    columns = {}
    for short, name in _NAMES.items():
        columns[short] = stacked[name].reshape(-1)
        state = optimizer.state[stacked[name]]
        if "exp_avg" in state:
            columns |= {f"m_{short}": state["exp_avg"].reshape(-1), f"v_{short}": state["exp_avg_sq"].reshape(-1)}
    return columns


BATCHED_VMAP = Variant("batched-vmap", unsupported, prepare)
