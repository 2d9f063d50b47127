"""Probe populations: policies that begin near the hard points of a problem, where small mistakes show."""

import torch
from torch import Tensor

from targetrl_core.population import Population
from targetrl_core.problem import Problem, as_float64

NEAREST, FURTHEST = -5.0, -1.0
"""Distances of the logit from a hard point, as powers of ten; nearer, float32 cannot tell the sides apart."""

SMALL_INPUT = 0.01
"""Below this |x| the bias alone brings the logit where it is wanted."""

WIDE = 6.0
"""Largest |logit| of the policies that begin anywhere."""


def probe(problem: Problem, n: int, generator: torch.Generator) -> Population:
    """n policies of which three in four begin close to a hard point, on the CPU.

    The gradient changes sign at o = target under ``pathwise`` and where the reward is zero, o = target ± 1/k, under ``detached``.
    There Adam's eps and the signs count. The rest begin anywhere with |z| ≤ 6. Their seeds are drawn too, so that nobody can foresee
    the noise of ``reinforce``, which is expected to move policies little near the target.
    """

    def uniform(low: float, high: float) -> Tensor:
        return torch.rand(n, generator=generator, dtype=torch.float64, device="cpu") * (high - low) + low

    side = torch.where(uniform(-1.0, 1.0) < 0.0, -1.0, 1.0)
    hard = hard_output(problem, side)
    near = torch.logit(hard) + torch.where(uniform(-1.0, 1.0) < 0.0, -1.0, 1.0) * 10.0 ** uniform(NEAREST, FURTHEST)
    anywhere = uniform(-WIDE, WIDE)
    wanted = torch.where(near.isfinite() & (torch.arange(n, dtype=torch.int64, device="cpu") % 4 != 0), near, anywhere)
    x = as_float64(problem.x)
    bias = torch.where(x.abs() > SMALL_INPUT, uniform(-1.0, 1.0), wanted)
    weight = torch.where(x.abs() > SMALL_INPUT, (wanted - bias) / x, uniform(-1.0, 1.0))
    seeds = torch.randint(-(2**63), 2**63 - 1, (n,), generator=generator, dtype=torch.int64, device="cpu")
    return Population.fresh(weight.to(torch.float32), bias.to(torch.float32), seeds)


def hard_output(problem: Problem, side: Tensor) -> Tensor:
    """The output at which the gradient of each policy changes sign, [N]; out of (0, 1) where it does not."""
    target = as_float64(problem.target).expand_as(side)
    if problem.objective != "detached":
        return target
    below, above = target - 1.0 / as_float64(problem.k), target + 1.0 / as_float64(problem.k)
    chosen = torch.where(side < 0.0, below, above)
    return torch.where((chosen > 0.0) & (chosen < 1.0), chosen, torch.where(below > 0.0, below, above))
