"""Axes: what a sweep varies, and the values that it takes."""

import math
import reprlib
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import psutil
from numpy.typing import NDArray

from targetrl_core.errors import UsageError, one_of
from targetrl_core.problem import CONSTANTS

STARTS = ("weight", "bias", "seed")
AXES = (*CONSTANTS, *STARTS)
"""What may vary: the constants that may differ from policy to policy, and where a policy begins."""

OTHER_NAMES = {"input": "x"}
"""What the command line calls a constant whose own name is that of an option for an axis."""

FORM = "NAME=START:STOP:COUNT, NAME=START:STOP:COUNT:log or NAME=VALUE,VALUE,…"

BYTES_PER_CELL = 128
"""Memory that a cell of a sweep takes at most, the table and the picture of it included."""

Scale = Literal["linear", "log", "listed"]


class Axis(NamedTuple):
    """A constant, or a part of the start, and its values.

    Attributes:
        name: one of ``AXES``.
        values: [count] float64, of seeds int64.
        scale: ``linear`` (equal differences), ``log`` (equal ratios) or ``listed`` (any).
    """

    name: str
    values: NDArray[Any]
    scale: Scale = "listed"


def listed(name: str, values: Sequence[float] | NDArray[Any]) -> Axis:
    """The axis of the values given.

    Raises:
        UsageError: nothing of that name may vary, or the values are no numbers in a row.
    """
    _check_name(name)
    kind = np.int64 if name == "seed" else np.float64
    try:
        array = np.asarray(values)
        kept = array.astype(kind)
        exact = array.dtype != np.bool_ and (kind is np.float64 or bool((kept == array).all()))
    except (TypeError, ValueError, OverflowError) as error:
        raise UsageError(f"{name} is {_short(values)}; it must be {_kind(name)}s in a row") from error
    if array.ndim != 1 or len(array) == 0 or not exact:
        raise UsageError(f"{name} is {_short(values)}; it must be at least one {_kind(name)}, in a row")
    return Axis(name, kept)


def parse(text: str) -> Axis:
    """The axis that ``text`` describes: ``lr=1e-4:1:400:log``, ``target=0.05:0.95:400`` or ``target=0.2,0.5,0.8``.

    Raises:
        UsageError: it cannot be read, names nothing that may vary, describes no range, has a value twice, or has more values than memory
            holds.
    """
    name, equals, values_text = text.partition("=")
    if not equals:
        raise UsageError(f"axis is {text!r}; it must be {FORM}")
    name = name.strip().replace("-", "_")
    name = OTHER_NAMES.get(name, name)
    _check_name(name)
    start, *rest = values_text.split(":")
    if not rest:
        return _each_once(listed(name, [_number(name, part) for part in start.split(",")]))
    if len(rest) not in (2, 3) or rest[2:] not in ([], ["log"], ["linear"]):
        raise UsageError(f"axis is {text!r}; it must be {FORM}")
    return _range(name, _number(name, start), _number(name, rest[0]), _count(name, rest[1]), "log" if rest[2:] == ["log"] else "linear")


def _each_once(axis: Axis) -> Axis:
    values, counts = np.unique(axis.values, return_counts=True)
    if len(values) < len(axis.values):
        raise UsageError(f"{axis.name} has the value {values[counts.argmax()]!s} more than once; each must be of its own")
    return axis


def check_cells(shape: Sequence[int], what: str) -> None:
    """Raise UsageError where a grid of that shape takes more memory than is free."""
    cells, free = math.prod(shape), int(psutil.virtual_memory().available)
    if cells * BYTES_PER_CELL > free:
        most = free // BYTES_PER_CELL
        size = f"{' × '.join(f'{count:,}' for count in shape)} cells"
        raise UsageError(f"{what}: {size}; there must be at most {most:,}: {BYTES_PER_CELL} bytes a cell, {free / 2**30:.1f} GiB are free")


def _range(name: str, start: float, stop: float, count: int, scale: Scale) -> Axis:
    if start == stop:
        raise UsageError(f"{name} goes from {start:g} to {stop:g}; a range must have two ends, or write {name}={start:g}")
    if scale == "log" and min(start, stop) <= 0:
        raise UsageError(f"{name} goes from {start:g} to {stop:g}; a log range must lie above 0")
    check_cells((count,), name)
    if name == "seed":
        return _seeds(start, stop, count)
    space = np.geomspace if scale == "log" else np.linspace
    return Axis(name, space(start, stop, count, dtype=np.float64), scale)


def _seeds(start: float, stop: float, count: int) -> Axis:
    """Whole numbers at equal distances, computed as such."""
    first, last = int(start), int(stop)
    step, rest = divmod(last - first, count - 1)
    if (first, last) != (start, stop) or rest:
        raise UsageError(f"seed goes from {start:g} to {stop:g} by {count} values; they must be integers")
    return Axis("seed", first + step * np.arange(count, dtype=np.int64), "linear")


def _check_name(name: str) -> None:
    if name not in AXES:
        raise UsageError(f"axis is {name!r}; it must be one of {one_of(AXES)}")


def _short(values: object) -> str:
    """Any value on one line."""
    return " ".join(reprlib.repr(values).split())


def _kind(name: str) -> str:
    return "integer" if name == "seed" else "number"


def _number(name: str, text: str) -> float:
    try:
        value = int(text) if name == "seed" else float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UsageError(f"{name} has the value {text!r}; it must be {'an integer' if name == 'seed' else 'a finite number'}")
    return value


def _count(name: str, text: str) -> int:
    """A whole number, also as 1e3."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not value.is_integer() or value < 2:  # noqa: PLR2004 — both ends
        raise UsageError(f"{name} has {text!r} values; a range must have a whole number of at least 2")
    return int(value)
