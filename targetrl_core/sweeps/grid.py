"""Grid: every combination of the values of some axes, a cell each, as problems and populations."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from targetrl_core.errors import UsageError
from targetrl_core.listing.start import repeated_starts
from targetrl_core.population import Population, check_seeds, wrapped64
from targetrl_core.problem import CONSTANTS, Problem
from targetrl_core.sweeps.axes import Axis, check_cells


class GridStart(NamedTuple):
    """Where the policies of all cells begin, but for what an axis says.

    Attributes:
        seed: as of ``Population.initialise``; also whose noise is drawn.
        weight: w instead of that seed's, or None.
        bias: b instead of that seed's, or None.
    """

    seed: int = 0
    weight: float | None = None
    bias: float | None = None


class Grid(NamedTuple):
    """The cells of a sweep, the last axis changing fastest.

    Attributes:
        problem: what is the same in every cell: one number for each constant.
        axes: what differs, at least one.
        start: where every policy begins, but for what the axes say.
    """

    problem: Problem
    axes: tuple[Axis, ...]
    start: GridStart

    @property
    def shape(self) -> tuple[int, ...]:
        """How many values each axis has."""
        return tuple(len(axis.values) for axis in self.axes)

    @property
    def cells(self) -> int:
        """Number of cells, hence of policies."""
        return math.prod(self.shape)

    def values(self, first: int, stop: int) -> dict[str, Tensor]:
        """What each axis says of cells ``first`` … ``stop − 1``: name → [stop − first] float64, of seeds int64."""
        cells, stride, columns = torch.arange(first, stop, dtype=torch.int64, device="cpu"), self.cells, {}
        for axis in self.axes:
            stride //= len(axis.values)
            columns[axis.name] = torch.from_numpy(axis.values)[(cells // stride) % len(axis.values)]
        return columns

    def part(self, first: int, stop: int) -> tuple[Problem, Population]:
        """Problem and fresh population of cells ``first`` … ``stop − 1``, on the CPU."""
        columns = self.values(first, stop)
        problem = self.problem.replace(**{name: values for name, values in columns.items() if name in CONSTANTS})
        n = stop - first
        seeds = columns.get("seed", torch.tensor([wrapped64(self.start.seed)], dtype=torch.int64, device="cpu"))
        weight, bias = repeated_starts(seeds)
        parameters = [
            columns[name].to(torch.float32) if name in columns else drawn if given is None else torch.full_like(drawn, given)
            for name, drawn, given in (("weight", weight, self.start.weight), ("bias", bias, self.start.bias))
        ]
        tensors = (tensor.expand(n).contiguous() for tensor in (*parameters, seeds))
        return problem, Population.fresh(*tensors)


def grid_of(problem: Problem, axes: Sequence[Axis], start: GridStart) -> Grid:
    """The grid of some axes about a problem.

    Raises:
        UsageError: no axis, one twice, a value out of its range, constants that are not one number, or more cells than memory holds.
    """
    if not axes:
        raise UsageError("a sweep has no axis; it must have at least one")
    names = [axis.name for axis in axes]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"{name} is on two axes; each must be of its own")
    for name, values in problem.per_policy.items():
        raise UsageError(f"{name} has {len(values)} values; the problem of a sweep must have one, and axes the others")
    grid = Grid(problem, tuple(axes), start)
    check_cells(grid.shape, " by ".join(names))
    check_seeds(1, start.seed)
    for name, value in (("weight", start.weight), ("bias", start.bias)):
        _check_parameter(name, np.array([value or 0.0]))
    for axis in axes:
        _check_values(problem, axis)
    return grid


def _check_values(problem: Problem, axis: Axis) -> None:
    if axis.name in CONSTANTS:
        problem.replace(**{axis.name: torch.from_numpy(axis.values)})
    elif axis.name != "seed":
        _check_parameter(axis.name, axis.values)


def _check_parameter(name: str, values: NDArray[Any]) -> None:
    bad = ~(np.abs(values) <= np.finfo(np.float32).max)
    if bad.any():
        raise UsageError(f"{name} is {float(values[bad][0])!r}; it must be a finite number, also as float32")
