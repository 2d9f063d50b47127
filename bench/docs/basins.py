"""docs/basin.png: a sweep as a picture, with a digest of what it shows and of what draws it."""

import hashlib
import inspect
import shlex
from types import ModuleType

import numpy as np

from targetrl_core.listing import basin
from targetrl_core.listing.outcomes import Outcomes
from targetrl_core.pictures import canvas
from targetrl_core.problem import Problem
from targetrl_core.sweeps import axes, grid, run

PICTURE = "basin.png"

ACROSS, UPWARDS = "lr=1e-4:10:240:log", "target=0.05:0.95:200"

OBJECTIVE, ARITHMETIC = "pathwise", "portable"

LARGE = 1.0
"""Learning rates from which on most policies leap too far."""

DRAWING: tuple[ModuleType, ...] = (basin, canvas)


def command() -> str:
    """What makes the same picture."""
    options = ["--x", ACROSS, "--y", UPWARDS, "--objective", OBJECTIVE, "--arithmetic", ARITHMETIC, "-o", PICTURE]
    return shlex.join(["targetrl", "sweep", *options])


def swept() -> run.Swept:
    """The sweep."""
    problem = Problem(objective=OBJECTIVE, arithmetic=ARITHMETIC)  # type: ignore[arg-type] # names of both
    return run.train_grid(grid.grid_of(problem, [axes.parse(UPWARDS), axes.parse(ACROSS)], grid.Start()))


def lost(found: run.Swept) -> float:
    """The share of the cells with a large learning rate that have collapsed or are saturated."""
    rates = found.grid.values(0, found.grid.cells)["lr"].numpy() >= LARGE
    ends = [Outcomes._fields.index(name) for name in ("collapsed", "saturated")]
    return float(np.isin(found.outcome[rates], ends).mean())


def png() -> bytes:
    """The picture, its digest the description that stands in it."""
    found = swept()
    return basin.picture(found, said=stamp(found))


def stamp(found: run.Swept) -> str:
    """By which a picture says what it was made of, and by what."""
    digest = hashlib.sha256(np.round(found.distance, 5).tobytes())
    for said in (command(), *(inspect.getsource(module) for module in DRAWING)):
        digest.update(said.encode())
    return f"shows {digest.hexdigest()}"
