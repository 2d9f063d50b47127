"""The listing's parts, which `eager` and `compiled` share: the policy, its loss, its optimiser and one policy's constants."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from targetrl_core.population import STATE_NAMES, Population
from targetrl_core.problem import Problem, value_of

TINY_OUTPUT = 1e-30
"""Below this output the gradient of log o is about to overflow, and logsigmoid(z) says the same."""


class Policy(nn.Module):
    """σ(w·x + b); [1, 1] → logit and output, [1, 1] each."""

    def __init__(self) -> None:
        super().__init__()
        # Starts are set from a population: the layer's own draw would only disturb the caller's random numbers.
        self.fc = nn.utils.skip_init(nn.Linear, 1, 1)
        self.sigmoid = nn.Sigmoid()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logit and output."""
        z = self.fc(x)
        return z, self.sigmoid(z)


class PolicyConstants(NamedTuple):
    """The constants of one policy, as Python floats."""

    x: float
    target: float
    k: float
    lr: float
    betas: tuple[float, float]
    eps: float


def constants_of(problem: Problem, policy: int) -> PolicyConstants:
    """The constants of one policy of a problem."""
    value = {name: value_of(getattr(problem, name), policy) for name in ("x", "target", "k", "lr", "beta1", "beta2", "eps")}
    return PolicyConstants(value["x"], value["target"], value["k"], value["lr"], (value["beta1"], value["beta2"]), value["eps"])


def log_output(z: Tensor, o: Tensor) -> Tensor:
    """log o as the listing takes it, and as logsigmoid(z) where o is tiny; elementwise, differentiable everywhere."""
    tiny = o < TINY_OUTPUT
    return torch.where(tiny, functional.logsigmoid(z), torch.log(torch.where(tiny, torch.ones_like(o), o)))


def reward_of(o: Tensor, target: Tensor, k: Tensor) -> Tensor:
    """r = 1 − k·|o − target|, differentiable."""
    return 1.0 - k * (o - target).abs()


Loss = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]


def detached_loss(z: Tensor, o: Tensor, target: Tensor, k: Tensor) -> Tensor:
    """−stop_gradient(r)·log o."""
    return -reward_of(o, target, k).detach() * log_output(z, o)


def pathwise_loss(_z: Tensor, o: Tensor, target: Tensor, k: Tensor) -> Tensor:
    """−r."""
    return -reward_of(o, target, k)


LOSSES: dict[str, Loss] = {"detached": detached_loss, "pathwise": pathwise_loss}


def adam_state(population: Population, parameter: str, policies: slice, shape: torch.Size) -> dict[str, Tensor]:
    """What ``torch.optim.Adam`` holds of a parameter (``weight`` or ``bias``) that some policies have trained before."""
    m, v = (getattr(population, f"{moment}_{parameter}")[policies].reshape(shape).clone() for moment in ("m", "v"))
    return {"step": torch.tensor(float(population.age)), "exp_avg": m, "exp_avg_sq": v}


def collect(population: Population, columns: dict[str, Tensor], steps: int) -> Population:
    """The trained population; state tensors that no optimiser touched stay what they were."""
    tensors = {name: columns.get(name, getattr(population, name)) for name in STATE_NAMES}
    return Population(**tensors, age=population.age + steps)
