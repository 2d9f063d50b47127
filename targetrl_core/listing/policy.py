"""The listing's parts, which `eager` and `compiled` share: the policy, its loss, its optimiser and one policy's constants."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.distributions import Normal
from torch.nn import functional

from targetrl_core.arithmetic import arithmetic
from targetrl_core.history import History
from targetrl_core.noise import draw_table, noise
from targetrl_core.population import Population
from targetrl_core.problem import CONSTANTS, Problem, value_of

TINY_OUTPUT = 1e-30
"""Below this output the gradient of log o is about to overflow, and logsigmoid(z) says the same."""


class Policy(nn.Module):
    """σ(w·x + b); [1, 1] → logit and output, [1, 1] each."""

    def __init__(self, device: torch.device) -> None:
        super().__init__()
        # Starts are set from a population: the layer's own draw would only disturb the caller's random numbers.
        self.fc = nn.utils.skip_init(nn.Linear, 1, 1, dtype=torch.float32, device=device)
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
    sigma: float


def constants_of(problem: Problem, policy: int) -> PolicyConstants:
    """The constants of one policy of a problem."""
    value = {name: value_of(getattr(problem, name), policy) for name in CONSTANTS}
    betas = value["beta1"], value["beta2"]
    return PolicyConstants(value["x"], value["target"], value["k"], value["lr"], betas, value["eps"], value["sigma"])


def log_output(z: Tensor, o: Tensor) -> Tensor:
    """log o as the listing takes it, and as logsigmoid(z) where o is tiny; elementwise, differentiable everywhere."""
    tiny = o < TINY_OUTPUT
    return torch.where(tiny, functional.logsigmoid(z), torch.log(torch.where(tiny, torch.ones_like(o), o)))


def reward_of(o: Tensor, target: Tensor, k: Tensor) -> Tensor:
    """r = 1 − k·|o − target|, differentiable."""
    return 1.0 - k * (o - target).abs()


class Terms(NamedTuple):
    """What a loss is made of beside the policy's logit and output, as tensors.

    Attributes:
        target: output to reach.
        k: how fast the reward falls.
        sigma: standard deviation of the actions.
        noise: ε of each sample, [M], or [M, 1, 1] beside outputs [1, 1]; empty but under ``reinforce``.
        baseline: what is taken off the reward.
    """

    target: Tensor
    k: Tensor
    sigma: Tensor
    noise: Tensor
    baseline: Tensor


Loss = Callable[[Tensor, Tensor, Terms], tuple[Tensor, Tensor]]
"""Logit, output and terms → loss, and the reward, which carries no gradient."""


def detached_loss(z: Tensor, o: Tensor, terms: Terms) -> tuple[Tensor, Tensor]:
    """−stop_gradient(r)·log o."""
    reward = reward_of(o, terms.target, terms.k).detach()
    return -reward * log_output(z, o), reward


def listing_loss(z: Tensor, o: Tensor, target: float, k: float) -> tuple[Tensor, float]:
    """The same of one policy, operation for operation as the listing computes it; logit and output [1, 1] → loss and reward."""
    value = o.item()
    reward = 1.0 - abs(value - target) * k
    return -reward * (functional.logsigmoid(z) if value < TINY_OUTPUT else torch.log(o)), reward


def pathwise_loss(_z: Tensor, o: Tensor, terms: Terms) -> tuple[Tensor, Tensor]:
    """−r."""
    reward = reward_of(o, terms.target, terms.k)
    return -reward, reward.detach()


def reinforce_loss(_z: Tensor, o: Tensor, terms: Terms) -> tuple[Tensor, Tensor]:
    """−(r(a) − baseline)·log N(a; o, σ), mean over the samples; the reward likewise."""
    policy = Normal(o, terms.sigma, validate_args=False)
    action = (o + terms.sigma * terms.noise).detach()
    reward = reward_of(action, terms.target, terms.k)
    return (-(reward - terms.baseline) * policy.log_prob(action)).mean(0), reward.mean(0)


LOSSES: dict[str, Loss] = {"detached": detached_loss, "pathwise": pathwise_loss, "reinforce": reinforce_loss}


def noise_of_steps(problem: Problem, population: Population) -> Iterator[Tensor]:
    """The noise of each step of a run, [M, N]; of no samples but under ``reinforce``."""
    if problem.objective != "reinforce":
        return (population.weight.new_zeros(0, population.n) for _ in range(problem.steps))
    seeds, root = population.seed_tensor(population.device), arithmetic("portable", population.device).sqrt
    return (torch.stack(list(noise(seeds, draw, problem.samples, root))) for draw in _draws(problem, population))


def noise_of_policy(problem: Problem, population: Population, policy: int) -> Tensor:
    """The noise of one policy's run, [steps, M]; of no samples but under ``reinforce``."""
    if problem.objective != "reinforce":
        return population.weight.new_zeros(problem.steps, 0)
    seeds, root = population.seed_tensor(population.device), arithmetic("portable", population.device).sqrt
    return torch.stack(list(noise(seeds[policy : policy + 1], _draws(problem, population), problem.samples, root)), dim=1)


def _draws(problem: Problem, population: Population) -> Tensor:
    return draw_table(problem.noise_seed, population.age, problem.steps, population.device)


def baseline_of(problem: Problem, population: Population, policies: slice = slice(None)) -> Tensor:
    """The baseline that a run of some policies begins with, [M], a copy: zeros where there is none, or the problem wants none."""
    if population.baseline is None or not problem.keeps_baseline:
        return torch.zeros_like(population.weight[policies])
    return population.baseline[policies].clone()


def adam_state(population: Population, parameter: str, policies: slice, shape: torch.Size) -> dict[str, Tensor]:
    """What ``torch.optim.Adam`` holds of a parameter (``weight`` or ``bias``) that some policies have trained before."""
    m, v = (getattr(population, f"{moment}_{parameter}")[policies].reshape(shape).clone() for moment in ("m", "v"))
    return {"step": torch.tensor(float(population.age), dtype=torch.float32, device="cpu"), "exp_avg": m, "exp_avg_sq": v}


def optimizer_of(  # noqa: PLR0913 — what optimisers take
    name: str,
    parameters: Iterable[Tensor],
    lr: float | Tensor,
    betas: tuple[float, float],
    eps: float,
    *,
    fused: bool | None = None,
) -> torch.optim.Optimizer:
    """The optimiser of that name."""
    if name == "sgd":
        return torch.optim.SGD(parameters, lr=lr, fused=fused)
    return torch.optim.Adam(parameters, lr=lr, betas=betas, eps=eps, fused=fused)


def trained_state(optimizer: torch.optim.Optimizer, parameters: Mapping[str, Tensor], *shape: int) -> dict[str, Tensor]:
    """Parameters and the moments that the optimiser has of them, as views of a shape, by the names that a population has for them."""
    columns = {}
    for name, parameter in parameters.items():
        columns[name] = parameter.detach().reshape(shape)
        state = optimizer.state[parameter]
        if "exp_avg" in state:
            columns |= {f"m_{name}": state["exp_avg"].reshape(shape), f"v_{name}": state["exp_avg_sq"].reshape(shape)}
    return columns


Step = Callable[[Tensor, Tensor], tuple[Tensor, Tensor, Tensor | None]]
"""One update of one policy, given noise [M, 1, 1] and a 0-d baseline; the logit, output and reward before it, [1, 1] each.

The reward is None where no baseline is kept of it.
"""


def train_each(
    problem: Problem,
    population: Population,
    history: History | None,
    model: Policy,
    begin: Callable[[int], tuple[torch.optim.Optimizer, Step]],
) -> Population:
    """Policies trained one after another in one module; ``begin`` makes of a policy's index its optimiser and its step."""
    columns: dict[str, list[Tensor]] = {}
    parameters = dict(model.fc.named_parameters())
    for policy in range(population.n):
        with torch.no_grad():
            for name, parameter in parameters.items():
                parameter.copy_(getattr(population, name)[policy])
        optimizer, step = begin(policy)
        baseline = _take_steps(problem, population, policy, history, step)
        for name, value in (trained_state(optimizer, parameters) | baseline).items():
            columns.setdefault(name, []).append(value.clone())
    return collect(population, {name: torch.stack(values) for name, values in columns.items()}, problem.steps)


def _take_steps(problem: Problem, population: Population, policy: int, history: History | None, step: Step) -> dict[str, Tensor]:
    """All steps of one policy; its baseline by name, where it keeps one."""
    own = slice(policy, policy + 1)
    baseline, decay = baseline_of(problem, population, own).squeeze(0), value_of(problem.baseline_decay, policy)
    for t, drawn in enumerate(noise_of_policy(problem, population, policy)[:, :, None, None].unbind(0)):
        z, output, reward = step(drawn, baseline)
        if history is not None:
            history.record(t, z.detach()[0], output.detach()[0], own)
        if problem.keeps_baseline and reward is not None:
            baseline = baseline + (reward.reshape(()) - baseline) * (1.0 - decay)
    return {"baseline": baseline} if problem.keeps_baseline else {}


def collect(population: Population, columns: dict[str, Tensor], steps: int) -> Population:
    """The trained population; state tensors that no optimiser touched stay what they were."""
    return replace(population, **columns, age=population.age + steps)
