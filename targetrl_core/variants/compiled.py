"""`compiled`: the listing as a user would put it under ``torch.compile``, one policy after another.

Model and loss are one full graph and the optimiser's step is another. A new optimiser for each policy would compile anew, so one
model and one fused optimiser are reset in place; constants enter as tensors, since Python floats would be compiled in.
"""

from collections.abc import Callable
from functools import cache, partial
from typing import NamedTuple

import torch
from torch import Tensor

from targetrl_core.devices import why_not_compiled
from targetrl_core.history import History
from targetrl_core.listing.policy import (
    LOSSES,
    Policy,
    PolicyConstants,
    Step,
    Terms,
    constants_of,
    optimizer_of,
    train_each,
)
from targetrl_core.modes import new_modes
from targetrl_core.population import Population
from targetrl_core.problem import Problem
from targetrl_core.variants.compiling import compiled, one_at_a_time
from targetrl_core.variants.variant import Train, Variant, not_portable, shared_by_optimizer, too_slow


class _Program(NamedTuple):
    """One compiled program: what is reset for each policy, and the two graphs."""

    model: Policy
    optimizer: torch.optim.Optimizer
    x: Tensor
    lr: Tensor
    terms: Terms
    forward: Callable[[Tensor, Terms], tuple[Tensor, Tensor, Tensor, Tensor]]
    update: Callable[[], object]


def unsupported(problem: Problem, device: torch.device, n: int) -> str | None:
    """Runs wherever ``torch.compile`` does, up to a limit of patience."""
    return (
        not_portable(problem, "compiled")
        or shared_by_optimizer(problem, ("beta1", "beta2", "eps"), "torch.optim compiles these in")
        or too_slow(problem, n, "compiled")
        or why_not_compiled(device)
    )


@one_at_a_time
def prepare(problem: Problem, device: torch.device, n: int) -> Train:
    """Compile both graphs and run them once."""
    problem.check_policies(n)
    first = constants_of(problem, 0)
    samples = problem.samples if problem.objective == "reinforce" else 0
    program = _compiled_program(problem.objective, samples, problem.optimizer, first.betas, first.eps, device)

    @one_at_a_time
    def train(population: Population, history: History | None) -> Population:
        def begin(policy: int) -> tuple[torch.optim.Optimizer, Step]:
            _reset(program, constants_of(problem, policy), population, policy)
            return program.optimizer, partial(_step, program)

        return train_each(problem, population, history, program.model, begin)

    return train


@cache
@new_modes()
def _compiled_program(  # noqa: PLR0913 — what is compiled in
    objective: str, samples: int, optimizer_name: str, betas: tuple[float, float], eps: float, device: torch.device
) -> _Program:
    """The program, compiled and warm; kept for every problem that differs in nothing but numbers."""
    model = Policy(device)
    torch.nn.init.zeros_(model.fc.weight)
    torch.nn.init.zeros_(model.fc.bias)
    x, noise = torch.ones(1, 1, device=device, dtype=torch.float32), torch.ones(samples, 1, 1, device=device, dtype=torch.float32)
    c = Problem().constants(device)
    terms = Terms(c.target, c.k, c.sigma, noise, baseline=torch.zeros_like(c.k))
    optimizer = optimizer_of(optimizer_name, model.parameters(), c.lr, betas, eps, fused=True)
    loss_of = LOSSES[objective]

    def forward(x: Tensor, terms: Terms) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        z, output = model(x)
        return z, output, *loss_of(z, output, terms)

    def update() -> None:
        optimizer.step()

    # torch.optim breaks the graph itself, around the loop over parameter groups.
    program = _Program(model, optimizer, x, c.lr, terms, compiled(forward), compiled(update, fullgraph=False))
    for _ in range(2):  # the second step is the first with the optimiser's state in place
        _step(program, terms.noise, terms.baseline)
    return program


def _step(program: _Program, noise: Tensor, baseline: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
    z, output, loss, reward = program.forward(program.x, program.terms._replace(noise=noise, baseline=baseline))
    program.optimizer.zero_grad()
    loss.backward()
    program.update()
    return z, output, reward


@torch.no_grad()
def _reset(program: _Program, c: PolicyConstants, population: Population, policy: int) -> None:
    """Put the constants and the moments of one policy in place of the last one's."""
    terms = program.terms
    for tensor, value in ((program.x, c.x), (program.lr, c.lr), (terms.target, c.target), (terms.k, c.k), (terms.sigma, c.sigma)):
        tensor.fill_(value)
    for name, parameter in program.model.fc.named_parameters():
        state = program.optimizer.state[parameter]
        if "exp_avg" in state:
            state["step"].fill_(population.age)
            state["exp_avg"].copy_(getattr(population, f"m_{name}")[policy])
            state["exp_avg_sq"].copy_(getattr(population, f"v_{name}")[policy])


COMPILED = Variant("compiled", unsupported, prepare)
