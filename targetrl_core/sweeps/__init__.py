"""Sweeps: a grid of constants and starts, trained as one population.

``axes`` says what may vary, ``grid`` makes problem and population of any part of it, ``run`` trains it, and ``results`` tells what came
out: to Python, to the terminal, and as a table.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from targetrl_core.errors import UsageError, one_of, require_extra
from targetrl_core.problem import CONSTANTS, Problem
from targetrl_core.sweeps.axes import AXES, listed
from targetrl_core.sweeps.grid import GridStart, grid_of
from targetrl_core.sweeps.results import labelled
from targetrl_core.sweeps.run import train_grid
from targetrl_core.variants import Variant

if TYPE_CHECKING:
    from xarray import Dataset


def sweep(
    problem: Problem,
    *,
    variant: str | Variant = "auto",
    device: str | torch.device = "cpu",
    tell: Callable[[int], object] = lambda _cells: None,
    **values: float | Sequence[float] | NDArray[Any],
) -> "Dataset":
    """Train a policy for every combination of some values: ``sweep(problem, lr=[0.01, 0.1], target=np.linspace(0.1, 0.9, 50))``.

    Each cell is what ``train`` makes of one policy under the constants of the cell: bit for bit in portable arithmetic, unless beta1 or
    beta2 is an axis, where Adam's bias corrections are computed a policy at a time.

    Args:
        problem: what is the same in every cell: one number for each constant.
        variant: a name in ``VARIANTS``, a variant of your own, or ``auto``: the fastest that can run here.
        device: ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
        tell: called with the number of cells of each part that has been trained.
        values: of a constant, or of the start (``seed``, or ``weight`` and ``bias``): a sequence is an axis, one number holds everywhere.
            Without a seed all cells begin as policy 0 does.

    Returns:
        ``output``, ``distance``, ``outcome`` and ``first_step`` over the axes, in the order in which they were given.

    Raises:
        UsageError: (a ValueError) xarray is not installed, nothing of that name may vary, a value is out of its range, there is no axis,
            or the grid takes more memory than is free; and as ``train`` does.
    """
    require_extra("sweep", "xarray")
    single = {name: value for name, value in values.items() if np.ndim(value) == 0}
    for name in values:
        if name not in AXES:
            raise UsageError(f"axis is {name!r}; it must be one of {one_of(AXES)}")
    axes = [listed(name, value) for name, value in values.items() if name not in single]  # type: ignore[arg-type] # no number is left
    fixed = problem.replace(**{name: value for name, value in single.items() if name in CONSTANTS})
    start = GridStart(**{name: value for name, value in single.items() if name not in CONSTANTS})  # type: ignore[arg-type] # its fields
    return labelled(train_grid(grid_of(fixed, axes, start), variant=variant, device=device, tell=tell))
