"""The listing's gradients in closed form: dL/dz of each objective, which the README derives; ``reinforce`` is Williams, 1992."""

from collections.abc import Callable

import torch
from torch import Tensor

from targetrl_core.noise import noise
from targetrl_core.problem import Constants
from targetrl_core.state import Rule, State, Tick, present

Gradient = Callable[[Tensor, Constants], Tensor]


def detached_gradient(o: Tensor, c: Constants) -> Tensor:
    """dL/dz of L = −stop_gradient(r)·log o: −r·(1 − o), where r = 1 − k·|o − target|."""
    reward = 1.0 - c.k * torch.abs(o - c.target)
    return -(reward * (1.0 - o))


def pathwise_gradient(o: Tensor, c: Constants) -> Tensor:
    """dL/dz of L = −r: k·sign(o − target)·o·(1 − o)."""
    return c.k * torch.sign(o - c.target) * (o * (1.0 - o))


GRADIENTS: dict[str, Gradient] = {"detached": detached_gradient, "pathwise": pathwise_gradient}
"""Those that the output alone decides."""


def reinforce_gradient(rule: Rule, state: State, o: Tensor, c: Constants, tick: Tick) -> tuple[Tensor, Tensor | None]:
    """An estimate of dL/dz of L = −E[r(a)], a drawn from the normal distribution about o, and the baseline after it.

    The mean over the samples of −(r − baseline)·(ε/σ)·o·(1 − o), where a = o + σ·ε and r = 1 − k·|a − target|.
    """
    scores: Tensor | None = None
    rewards: Tensor | None = None
    for epsilon in noise(present(state.seeds), present(tick.draw), rule.samples, present(rule.noise_root)):
        action = c.sigma * epsilon + o
        reward = 1.0 - c.k * torch.abs(action - c.target)
        advantage = reward if state.baseline is None else reward - state.baseline
        score = advantage * epsilon
        scores = score if scores is None else scores + score
        rewards = reward if rewards is None else rewards + reward
    g = -((present(scores) * c.one_over_samples_sigma) * (o * (1.0 - o)))
    if state.baseline is None:
        return g, None
    change = (present(rewards) * c.one_over_samples - state.baseline) * c.baseline_rate
    return g, rule.arithmetic.settle_moment(state.baseline + change)


def gradient(rule: Rule, state: State, o: Tensor, c: Constants, tick: Tick) -> tuple[Tensor, State]:
    """dL/dz of the rule's objective at outputs o, and the state, its baseline moved on."""
    if rule.objective != "reinforce":
        return GRADIENTS[rule.objective](o, c), state
    g, baseline = reinforce_gradient(rule, state, o, c, tick)
    return g, state._replace(baseline=baseline)
