"""The picture of a sweep: where the policies of a grid of one or two axes ended, or when they came to the target."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from targetrl_core.listing.outcomes import AT_TARGET, Outcomes
from targetrl_core.pictures.canvas import BLUE, GREEN, GREY, VERMILLION, new_figure, png
from targetrl_core.sweeps.axes import Axis
from targetrl_core.sweeps.run import Swept

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis as DrawnAxis
    from matplotlib.image import AxesImage

WIDTH, HEIGHT, STRIP = 7.2, 5.4, 1.8
"""Inches; a single axis of outcomes is a strip."""

LEAST_DPI, MOST_DPI = 150, 400
INCHES = (5.2, 4.4)
"""What is left for the cells themselves, about: each gets a dot of its own where the resolution allows it."""

DISTANCES = (1e-4, 1.0)
"""Distances that the colours span, the same in every picture, so that pictures compare."""

OUTCOME_COLOURS = dict(zip(Outcomes._fields, (GREEN, BLUE, VERMILLION, GREY), strict=True))
MOST_TICKS = 12


class Shown(NamedTuple):
    """What is drawn of each cell.

    Attributes:
        label: of the colours.
        values: [cells]; NaN in grey.
        draw: the image of such values, [rows][columns], with its colours.
    """

    label: str
    values: NDArray[Any]
    colours: Callable[[], dict[str, Any]]


def picture(swept: Swept, show: str = "distance", description: str | None = None) -> bytes:
    """The picture of a sweep of one axis, or of two: the first upwards, the second to the right.

    Args:
        swept: the sweep.
        show: ``distance`` (from the target), ``outcome`` or ``first-step``.
        description: stands in the file as its description.
    """
    shown = _shown(swept, show)
    *above, across = swept.grid.axes
    title = f"{swept.grid.problem.objective}, {swept.grid.problem.optimizer}, {swept.grid.problem.steps:,} steps"
    strip = not above and show == "outcome"
    with new_figure(WIDTH, STRIP if strip else HEIGHT) as figure:
        axes = figure.subplots()
        axes.set_title(title)
        if not above and not strip:
            _line(axes, across, shown, log=show == "distance")
        else:
            image = _image(axes, shown.values.reshape(-1, len(across.values)), shown)
            _scale(axes, "x", across)
            _scale(axes, "y", above[0]) if above else axes.set_yticks([])
            bar = figure.colorbar(image, ax=axes, label=shown.label, extend="min" if show == "distance" else "neither")
            if show == "outcome":
                bar.set_ticks(list(range(len(Outcomes._fields))), labels=[name.replace("_", " ") for name in Outcomes._fields])
        return png(figure, _dpi(swept.grid.shape), description)


def _shown(swept: Swept, show: str) -> Shown:
    if show == "outcome":
        return Shown("", swept.outcome, _outcome_colours)
    if show == "first-step":
        steps = swept.grid.problem.steps
        first = np.where(swept.first_step == steps, np.nan, swept.first_step)
        return Shown(f"first step within {AT_TARGET:g} of the target (grey: never)", first, lambda: _ramp(0, steps))
    return Shown("|output − target|", np.maximum(swept.distance, DISTANCES[0]), lambda: _ramp(*DISTANCES, log=True))


def _ramp(low: float, high: float, *, log: bool = False) -> dict[str, Any]:
    """Colours from dark to bright, of the same lightness to all."""
    from matplotlib import colormaps
    from matplotlib.colors import LogNorm, Normalize

    return {"cmap": colormaps["viridis"].with_extremes(bad=GREY), "norm": LogNorm(low, high) if log else Normalize(low, high)}


def _outcome_colours() -> dict[str, Any]:
    from matplotlib.colors import BoundaryNorm, ListedColormap

    count = len(Outcomes._fields)
    return {"cmap": ListedColormap(list(OUTCOME_COLOURS.values())), "norm": BoundaryNorm(np.arange(count + 1) - 0.5, count)}


def _image(axes: "Axes", values: NDArray[Any], shown: Shown) -> "AxesImage":
    """Cells of equal size all over the axes, whatever their scale: an axis of a sweep is even on its own scale."""
    place, colours = (0.0, 1.0, 0.0, 1.0), shown.colours()
    return axes.imshow(values, extent=place, transform=axes.transAxes, origin="lower", aspect="auto", interpolation="nearest", **colours)


def _line(axes: "Axes", across: Axis, shown: Shown, *, log: bool) -> None:
    """One axis: the values over it."""
    at = np.arange(len(across.values)) + 0.5 if across.scale == "listed" else across.values
    axes.plot(at, shown.values, color=BLUE, marker="." if len(at) < 100 else None)  # noqa: PLR2004 — where dots touch
    axes.set_ylabel(shown.label)
    if log:
        axes.set_yscale("log")
    _scale(axes, "x", across)


def _scale(axes: "Axes", which: str, axis: Axis) -> None:
    """Label an axis of the picture with the values of a sweep's."""
    low, high = _edges(axis)
    limits, scaled, drawn = getattr(axes, f"set_{which}lim"), getattr(axes, f"set_{which}scale"), getattr(axes, f"{which}axis")
    limits(low, high)
    if axis.scale == "log":
        scaled("log")
        limits(low, high)
    if axis.scale == "listed":
        _tick(drawn, axis)
    drawn.set_label_text(axis.name)


def _edges(axis: Axis) -> tuple[float, float]:
    """Where the first cell of an axis begins and the last one ends: half a cell beyond their values."""
    first, last, count = float(axis.values[0]), float(axis.values[-1]), len(axis.values)
    if axis.scale == "listed":
        return 0.0, float(count)
    if axis.scale == "log":
        half_ratio = (last / first) ** (0.5 / (count - 1))
        return first / half_ratio, last * half_ratio
    half = (last - first) / (count - 1) / 2
    return first - half, last + half


def _tick(drawn: "DrawnAxis", axis: Axis) -> None:
    """A tick in the middle of the cells, of some where there are many."""
    every = math.ceil(len(axis.values) / MOST_TICKS)
    drawn.set_ticks([at + 0.5 for at in range(0, len(axis.values), every)], labels=[f"{value:g}" for value in axis.values[::every]])


def _dpi(shape: tuple[int, ...]) -> int:
    needed = max(math.ceil(count / inches) for count, inches in zip(reversed(shape), INCHES, strict=False))
    return min(max(LEAST_DPI, needed), MOST_DPI)
