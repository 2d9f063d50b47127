"""Training a grid, a part of its cells at a time."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from targetrl_core.devices import find_device
from targetrl_core.listing.outcomes import Outcomes, count_codes, outcome_codes
from targetrl_core.modes import new_modes
from targetrl_core.problem import as_float64
from targetrl_core.streaming import chunk_of
from targetrl_core.sweeps.grid import Grid
from targetrl_core.training import named, prepared_to_end, require
from targetrl_core.variants import Variant


class Swept(NamedTuple):
    """What became of the cells of a grid: arrays [cells] on the CPU, in the grid's order.

    Attributes:
        grid: the cells.
        variant: name of the variant that trained them.
        device: where.
        output: after the last update, float32.
        distance: |output − target|, float32.
        outcome: index into ``Outcomes``, int8.
        first_step: first step whose output is within 0.02 of the target, ``steps`` where none is; int32.
    """

    grid: Grid
    variant: str
    device: str
    output: NDArray[np.float32]
    distance: NDArray[np.float32]
    outcome: NDArray[np.int8]
    first_step: NDArray[np.int32]

    @property
    def outcomes(self) -> Outcomes:
        """How many cells ended where."""
        return count_codes(torch.from_numpy(self.outcome))

    @property
    def best(self) -> int | None:
        """The cell whose output is nearest its target; of equal ones that which was there first. None where none has a number."""
        nearest = self.distance == np.nanmin(self.distance, initial=np.inf)
        return int(np.where(nearest, self.first_step, self.grid.problem.steps + 1).argmin()) if nearest.any() else None


@new_modes()
def train_grid(
    grid: Grid,
    *,
    variant: str | Variant = "auto",
    device: str | torch.device = "cpu",
    tell: Callable[[int], object] = lambda _cells: None,
) -> Swept:
    """Train every cell of a grid.

    Args:
        grid: the cells.
        variant: a name in ``VARIANTS``, a variant of your own, or ``auto``: the fastest that can run here.
        device: ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
        tell: called with the number of cells of each part that has been trained.

    Raises:
        UsageError: as ``train`` does.
    """
    place, (first, _) = find_device(device), grid.part(0, 1)
    chosen = named(variant, first, place, grid.cells)
    require(chosen, first, place, grid.cells)
    swept = Swept(
        grid=grid,
        variant=chosen.name,
        device=str(place),
        output=np.empty(grid.cells, np.float32),
        distance=np.empty(grid.cells, np.float32),
        outcome=np.empty(grid.cells, np.int8),
        first_step=np.empty(grid.cells, np.int32),
    )
    chunk = chunk_of(chosen, grid.problem, place)
    for start in range(0, grid.cells, chunk):
        stop = min(start + chunk, grid.cells)
        _train_part(swept, chosen, place, slice(start, stop))
        tell(stop - start)
    return swept


def _train_part(swept: Swept, variant: Variant, device: torch.device, cells: slice) -> None:
    """Train some cells, and keep what became of them."""
    problem, population = swept.grid.part(cells.start, cells.stop)
    ended = prepared_to_end(variant, problem, device, population.n)(population)
    output = ended.outputs.to("cpu")
    swept.output[cells] = output.numpy()
    swept.distance[cells] = (output.double() - as_float64(problem.target)).abs().numpy()
    swept.outcome[cells] = outcome_codes(output, problem).numpy()
    swept.first_step[cells] = ended.first_steps.to("cpu").numpy()
