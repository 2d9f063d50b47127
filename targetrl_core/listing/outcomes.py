"""Where policies end, and when they first come to the target."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from targetrl_core.arithmetic import portable_sigmoid
from targetrl_core.history import History
from targetrl_core.population import Population
from targetrl_core.problem import Problem, as_float64

AT_TARGET = 0.02
"""Within this distance of the target an output counts as at it."""

COLLAPSED = 0.05
SATURATED = 0.95


class Outcomes(NamedTuple):
    """How many policies ended where: |o − target| ≤ 0.02 first, then o ≤ 0.05, o ≥ 0.95, and the rest."""

    at_target: int
    collapsed: int
    saturated: int
    elsewhere: int


class Thresholds(NamedTuple):
    """The outermost float32 outputs that count as at target, 0-d or [N], and as collapsed and saturated, 0-d.

    Comparing outputs with them decides in float32, on any device, what ``outcome_codes`` and ``first_steps`` decide in float64.
    """

    low: Tensor
    high: Tensor
    collapsed: Tensor
    saturated: Tensor


def thresholds(problem: Problem, device: torch.device) -> Thresholds:
    """The thresholds of a problem, on a device."""
    target = as_float64(problem.target)

    def at_target(o: Tensor) -> Tensor:
        return (o - target).abs() <= AT_TARGET

    limits = (
        _last_inside(target - AT_TARGET, -1.0, at_target),
        _last_inside(target + AT_TARGET, 1.0, at_target),
        _last_inside(as_float64(COLLAPSED), 1.0, lambda o: o <= COLLAPSED),
        _last_inside(as_float64(SATURATED), -1.0, lambda o: o >= SATURATED),
    )
    return Thresholds(*(limit.to(device) for limit in limits))


def _last_inside(edge: Tensor, direction: float, inside: Callable[[Tensor], Tensor]) -> Tensor:
    """The float32 number that lies furthest in one direction, about an edge, and is still inside."""
    limit = edge.to(torch.float32)
    outwards = torch.full_like(limit, direction * torch.inf)
    for _ in range(2):  # begin outside, however the edge was rounded
        limit = torch.nextafter(limit, outwards)
    for _ in range(4):
        limit = torch.where(inside(limit.double()), limit, torch.nextafter(limit, -outwards))
    return limit


def outputs_of(problem: Problem, population: Population) -> Tensor:
    """σ(w·x + b) in the problem's arithmetic, [N] float32 on the CPU."""
    population = population.to("cpu")
    z = population.weight * as_float64(problem.x).to(torch.float32) + population.bias
    return portable_sigmoid(z) if problem.arithmetic == "portable" else torch.sigmoid(z)


def outcome_codes(o: Tensor, problem: Problem) -> Tensor:
    """Index into ``Outcomes`` of each output, [N] int8."""
    o = o.double()
    codes = torch.full(o.shape, Outcomes._fields.index("elsewhere"), dtype=torch.int8, device="cpu")
    codes[o >= SATURATED] = Outcomes._fields.index("saturated")
    codes[o <= COLLAPSED] = Outcomes._fields.index("collapsed")
    codes[(o - as_float64(problem.target)).abs() <= AT_TARGET] = Outcomes._fields.index("at_target")
    return codes


def count_outcomes(o: Tensor, problem: Problem) -> Outcomes:
    """How many outputs [N] ended where."""
    return count_codes(outcome_codes(o, problem))


def count_codes(codes: Tensor) -> Outcomes:
    """How many codes there are of each outcome."""
    return Outcomes(*torch.bincount(codes.int(), minlength=len(Outcomes._fields)).tolist())


def first_steps(problem: Problem, history: History) -> Tensor:
    """First step whose output is within 0.02 of the target, ``steps`` where none is; [N] int32 on the CPU."""
    limits = thresholds(problem, history.outputs.device)
    first = torch.full_like(history.outputs[0], problem.steps, dtype=torch.int32)
    for step in reversed(range(problem.steps)):
        outputs = history.outputs[step]
        first = first.masked_fill_((outputs >= limits.low) & (outputs <= limits.high), step)
    return first.to("cpu")
