"""`compiled`: the listing as a user would put it under ``torch.compile``, one policy after another.

Model and loss are one full graph and the optimiser's step is another. A new optimiser for each policy would compile anew, so one
model and one fused optimiser are reset in place; constants enter as tensors, since Python floats would be compiled in.
"""

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from targetrl_core.devices import why_not_compiled
from targetrl_core.history import History
from targetrl_core.population import Population
from targetrl_core.problem import Problem
from targetrl_core.variants.compiling import compiled
from targetrl_core.variants.listing import LOSSES, Policy, PolicyConstants, collect, constants_of
from targetrl_core.variants.variant import Train, Variant, not_portable, shared_by_optimizer, too_slow


class _Program(NamedTuple):
    """One compiled program: what is reset for each policy, and the two graphs."""

    model: Policy
    optimizer: torch.optim.Optimizer
    x: Tensor
    target: Tensor
    k: Tensor
    lr: Tensor
    forward: Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]
    update: Callable[[], object]


def unsupported(problem: Problem, device: torch.device, n: int) -> str | None:
    """Runs wherever ``torch.compile`` does, up to a limit of patience."""
    return (
        not_portable(problem, "compiled")
        or shared_by_optimizer(problem, ("beta1", "beta2", "eps"), "torch.optim compiles these in")
        or too_slow(problem, n, "compiled")
        or why_not_compiled(device)
    )


def prepare(problem: Problem, device: torch.device, n: int) -> Train:
    """Compile both graphs and run them once."""
    problem.check_policies(n)
    first = constants_of(problem, 0)
    program = _compiled_program(problem.objective, problem.optimizer, first.betas, first.eps, device)

    def train(population: Population, history: History | None) -> Population:
        columns: dict[str, list[Tensor]] = {}
        for policy in range(population.n):
            _reset(program, constants_of(problem, policy), population, policy)
            _run(program, problem.steps, policy, history)
            for name, value in _trained(program).items():
                columns.setdefault(name, []).append(value)
        return collect(population, {name: torch.stack(values) for name, values in columns.items()}, problem.steps)

    return train


@cache
def _compiled_program(objective: str, optimizer_name: str, betas: tuple[float, float], eps: float, device: torch.device) -> _Program:
    """The program, compiled and warm; kept for every problem that differs in nothing but numbers."""
    model = Policy().to(device)
    torch.nn.init.zeros_(model.fc.weight)
    torch.nn.init.zeros_(model.fc.bias)
    x, target, k, lr = torch.ones(1, 1, device=device), *(torch.tensor(value, device=device) for value in (0.8, 5.0, 0.1))
    optimizer: torch.optim.Optimizer
    if optimizer_name == "sgd":
        optimizer = torch.optim.SGD(model.parameters(), lr=lr, fused=True)
    else:
        optimizer = torch.optim.Adam(model.parameters(), lr=lr, betas=betas, eps=eps, fused=True)
    loss_of = LOSSES[objective]

    def forward(x: Tensor, target: Tensor, k: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        z, output = model(x)
        return z, output, loss_of(z, output, target, k)

    def update() -> None:
        optimizer.step()

    # torch.optim breaks the graph itself, around the loop over parameter groups.
    program = _Program(model, optimizer, x, target, k, lr, compiled(forward), compiled(update, fullgraph=False))
    for _ in range(2):  # the second step is the first with the optimiser's state in place
        _step(program)
    return program


def _step(program: _Program) -> tuple[Tensor, Tensor]:
    z, output, loss = program.forward(program.x, program.target, program.k)
    program.optimizer.zero_grad()
    loss.backward()
    program.update()
    return z, output


def _run(program: _Program, steps: int, policy: int, history: History | None) -> None:
    for step in range(steps):
        z, output = _step(program)
        if history is not None:
            history.record(step, z.detach()[0], output.detach()[0], slice(policy, policy + 1))


def _parameters(program: _Program) -> dict[str, torch.nn.Parameter]:
    return {"weight": program.model.fc.weight, "bias": program.model.fc.bias}


@torch.no_grad()
def _reset(program: _Program, c: PolicyConstants, population: Population, policy: int) -> None:
    """Put one policy, its constants and its moments in place of the last one's."""
    for tensor, value in ((program.x, c.x), (program.target, c.target), (program.k, c.k), (program.lr, c.lr)):
        tensor.fill_(value)
    for name, parameter in _parameters(program).items():
        parameter.copy_(getattr(population, name)[policy])
        state = program.optimizer.state[parameter]
        if "exp_avg" in state:
            state["step"].fill_(population.age)
            state["exp_avg"].copy_(getattr(population, f"m_{name}")[policy])
            state["exp_avg_sq"].copy_(getattr(population, f"v_{name}")[policy])


def _trained(program: _Program) -> dict[str, Tensor]:
    """The state of the policy in place, 0-d each, by name."""
    trained = {}
    for name, parameter in _parameters(program).items():
        trained[name] = parameter.detach().reshape(()).clone()
        state = program.optimizer.state[parameter]
        if "exp_avg" in state:
            trained[f"m_{name}"] = state["exp_avg"].reshape(()).clone()
            trained[f"v_{name}"] = state["exp_avg_sq"].reshape(()).clone()
    return trained


COMPILED = Variant("compiled", unsupported, prepare)
