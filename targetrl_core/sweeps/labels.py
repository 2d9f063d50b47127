"""sweep: a grid of constants and starts, trained at once, as labelled arrays."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from targetrl_core.errors import UsageError, one_of, require_extra
from targetrl_core.listing.outcomes import AT_TARGET, Outcomes
from targetrl_core.problem import CONSTANTS, Problem
from targetrl_core.report import problem_fields
from targetrl_core.sweeps.axes import AXES, listed
from targetrl_core.sweeps.grid import GridStart, grid_of
from targetrl_core.sweeps.run import Swept, train_grid
from targetrl_core.variants import Variant

if TYPE_CHECKING:
    from xarray import Dataset

MEANINGS: dict[str, dict[str, Any]] = {
    "output": {"long_name": "output after the last update"},
    "distance": {"long_name": "|output − target|"},
    "outcome": {
        "long_name": "where the policy ended",
        "flag_values": np.arange(len(Outcomes._fields), dtype=np.int8),
        "flag_meanings": " ".join(Outcomes._fields),
    },
    "first_step": {"long_name": f"first step within {AT_TARGET} of the target; the number of steps where none was"},
}
"""The arrays of a sweep and their attributes, as the CF conventions name them."""


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


def labelled(swept: Swept) -> "Dataset":
    """What became of a grid, its axes named."""
    from xarray import Dataset

    grid = swept.grid
    names = [axis.name for axis in grid.axes]
    arrays = {name: (names, getattr(swept, name).reshape(grid.shape), meaning) for name, meaning in MEANINGS.items()}
    start = {name: value for name, value in grid.start._asdict().items() if value is not None}
    attributes = {name: value for name, value in (problem_fields(grid.problem) | start).items() if name not in names}
    return Dataset(arrays, {axis.name: axis.values for axis in grid.axes}, attributes | {"variant": swept.variant, "device": swept.device})
