"""The listing's gradients as the oracle has them: in float64, with their derivatives and what rounding does to them within a step.

Of `reinforce` that is one step's estimate. Its random words are those of noise.py, integers that leave nothing to rounding; what is made
of them is computed here on its own.
"""

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from targetrl_core.noise import BLOCK, Words, key_words, philox
from targetrl_core.problem import Problem
from targetrl_core.rounding import FACTOR, Slope, float32_ulp

LEAST_DIVISOR = 1e-30
"""The derivative of log o divides by o, down to here."""

NOISE_ULP = 1.5
"""What rounding does to a normal number that is made of random words, in ulp of the number, or of one where it is smaller; three times
as much at most (``tests/test_noise.py``)."""


def closed_gradient(
    problem: Problem, c: dict[str, Tensor], o: Tensor, settle: Callable[[Tensor], Tensor], fits: Callable[[Tensor, Tensor], None]
) -> Tensor:
    """dL/dz of the objectives that the output alone decides, at outputs [3, N]; of values on the way, what may flush, and has to fit."""
    distance = o - c["target"]
    if problem.objective == "pathwise":
        return c["k"] * torch.sign(distance) * settle(o * (1.0 - o))
    reward = 1.0 - c["k"] * distance.abs()
    fits(reward[1], reward[1] / o[1].clamp(min=LEAST_DIVISOR))
    return -reward * (1.0 - o)


def closed_slope(problem: Problem, c: dict[str, Tensor], o: Tensor, error: Tensor, reach: Tensor) -> Slope:
    """The gradient's derivative, and its error within one step, from their closed forms; as ``Draws.slopes``."""
    k, distance = c["k"][0], o - c["target"][0]
    side, curve = torch.sign(distance), o * (1.0 - o)
    if problem.objective == "pathwise":
        value = k * side * curve
        by_output = k * side * (1.0 - 2.0 * o)
        return Slope(value, by_output * curve, by_output.abs() * error + 2.0 * float32_ulp(value))
    reward = 1.0 - k * distance.abs()
    value = -reward * (1.0 - o)
    by_output = k * side * (1.0 - o) + reward
    # The reward is a difference: its error is an ulp of its terms, however small it is itself.
    cancelled = (1.0 - o) * float32_ulp((k * distance.abs()).clamp(min=1.0))
    # Within reach of the target the reward's peak lies between the policy and where rounding carried it: the derivative is another.
    folded = 2.0 * k * (1.0 - o) * (reach - distance.abs()).clamp(min=0.0) / FACTOR
    rounding = (k * (1.0 - o) + reward.abs()) * error + cancelled + float32_ulp(value)
    return Slope(value, by_output * curve, rounding + folded)


class RewardSlope(NamedTuple):
    """The mean reward's derivative by the output, and its rounding error within one step; [N] each."""

    by_output: Tensor
    error: Tensor


class Draws:
    """One step's actions. Rows of [3, N] tensors are the policy and its neighbours.

    Args:
        problem: whose samples and noise seed count.
        c: its constants, [3, N] each.
        seeds: of the policies, [N] int64.
        step: which one it is, counted from the first update of the population on.
        baseline: what is taken off the rewards, [3, N].
    """

    def __init__(self, problem: Problem, c: dict[str, Tensor], seeds: Tensor, step: int, baseline: Tensor) -> None:
        self.c, self.baseline = c, baseline
        self.noise = list(normals(problem, seeds, step))

    def estimate(self, o: Tensor) -> tuple[Tensor, Tensor]:
        """The gradient dL/dz at outputs [3, N], and the mean reward; [3, N] each."""
        k, target, sigma = self.c["k"], self.c["target"], self.c["sigma"]
        scores, rewards = torch.zeros_like(o), torch.zeros_like(o)
        for epsilon in self.noise:
            reward = 1.0 - k * (o + sigma * epsilon - target).abs()
            scores += (reward - self.baseline) * epsilon / sigma
            rewards += reward
        return -scores / len(self.noise) * o * (1.0 - o), rewards / len(self.noise)

    def slopes(self, o: Tensor, error: Tensor, reach: Tensor) -> tuple[Slope, RewardSlope]:
        """Derivatives and errors at the policy's own output, [N], which rounding moves by ``error``, and has carried by ``reach``."""
        n, curve = len(self.noise), o * (1.0 - o)
        zero = torch.zeros_like(o)
        by_output, by_baseline, reward_by_output, folded, largest = zero, zero, zero, zero, zero
        variance, reward_variance = zero, zero
        for epsilon in self.noise:
            each = self._sample(o, epsilon)
            by_output = by_output - (each.reward_by_output * each.score * curve + each.advantage * each.score * (1.0 - 2.0 * o)) / n
            by_baseline = by_baseline + each.score * curve / n
            reward_by_output = reward_by_output + each.reward_by_output / n
            # Within reach of the target the reward's peak lies between the policy's action and where rounding carried it.
            folded = folded + 2.0 * each.reward_by_output.abs() * each.score.abs() * curve * (reach - each.distance).clamp(min=0.0) / n
            largest = largest + (each.advantage * each.score).abs()
            rounding = each.reward_error * each.score.abs() + each.advantage.abs() * each.score_error
            variance = variance + (rounding * curve / n) ** 2
            reward_variance = reward_variance + (each.reward_error / n) ** 2
        gradient = self.estimate(o.expand(3, -1))[0][0]
        summing = math.sqrt(n) * float32_ulp(largest) * curve / n
        rounding = variance.sqrt() + by_output.abs() * error + summing + 3.0 * float32_ulp(gradient) + folded
        slope = Slope(gradient, by_output * curve, rounding, by_baseline)
        reward_error = reward_variance.sqrt() + reward_by_output.abs() * error
        return slope, RewardSlope(reward_by_output, reward_error)

    def _sample(self, o: Tensor, epsilon: Tensor) -> "_Sample":
        k, target, sigma, baseline = (value[0] for value in (self.c["k"], self.c["target"], self.c["sigma"], self.baseline))
        action = o + sigma * epsilon
        distance = (action - target).abs()
        reward = 1.0 - k * distance
        advantage = reward - baseline
        noise_error = NOISE_ULP * float32_ulp(epsilon.abs().clamp(min=1.0))
        action_error = sigma * noise_error + float32_ulp(torch.maximum(action.abs(), o))
        terms = torch.maximum((k * distance).clamp(min=1.0), baseline.abs())
        return _Sample(
            distance=distance,
            advantage=advantage,
            score=epsilon / sigma,
            reward_by_output=-k * torch.sign(action - target),
            reward_error=k * action_error + 2.0 * float32_ulp(terms),
            # Autograd has the score as (a − o)/σ², a difference whose error is that of a.
            score_error=noise_error / sigma + action_error / sigma**2,
        )


class _Sample(NamedTuple):
    """What one action brings, [N] each."""

    distance: Tensor
    advantage: Tensor
    score: Tensor
    reward_by_output: Tensor
    reward_error: Tensor
    score_error: Tensor


def normals(problem: Problem, seeds: Tensor, step: int) -> Iterator[Tensor]:
    """The noise of a step, [N] float64 for each sample (Box and Muller, 1958)."""
    low, high = seeds & 0xFFFFFFFF, (seeds >> 32) & 0xFFFFFFFF
    key_low, key_high = map(torch.tensor, key_words(problem.noise_seed))
    for block in range(math.ceil(problem.samples / BLOCK)):
        words = philox(
            Words(low, high, torch.tensor(step, dtype=torch.int64, device="cpu"), torch.tensor(block, dtype=torch.int64, device="cpu")),
            (key_low, key_high),
        )
        drawn: list[Tensor] = []
        for radial, angular in ((words.a, words.b), (words.c, words.d)):
            radius = torch.sqrt(-2.0 * torch.log(((radial >> 8) + 1).double() / 2.0**24))
            turn = (angular >> 30).double() + ((angular >> 6) % 2**24).double() / 2.0**24 - 0.5
            drawn += [radius * torch.cos(turn * (math.pi / 2)), radius * torch.sin(turn * (math.pi / 2))]
        yield from drawn[: problem.samples - BLOCK * block]
