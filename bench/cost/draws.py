"""Intervals of what is computed from rows: the rows are drawn again within their own intervals, and it is computed anew.

A parametric bootstrap: the seconds of a row are log-normal, on either side of the median as wide as its 95 % interval says there. Rows are
drawn apart from each other. Part of what moves them, the process, moves all of a run together, so that differences are known better
than this says. The draws are the same each time, so that tables are.
"""

import random
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import islice
from statistics import NormalDist

import numpy as np

from bench.cost.curves import Curve
from bench.cost.line import Array
from bench.evidence.records import CONFIDENCE, Interval

DRAWS = 999
KEPT = 20
"""Most sizes of a curve whose numbers are kept for the next device: some 160 kB."""

_NORMAL = NormalDist()
_REACH = _NORMAL.inv_cdf((1 + CONFIDENCE) / 2)


def normals(name: str) -> Iterator[float]:
    """Numbers of a standard normal distribution, others for each name."""
    source = random.Random(name)  # noqa: S311 — no secrets
    while True:
        yield _NORMAL.inv_cdf(source.uniform(1e-12, 1 - 1e-12))


def redrawn(curve: Curve, name: str) -> Array:
    """``DRAWS`` times the logarithms of the curve's seconds, as other runs might have had them, [DRAWS, sizes]."""
    low, value, high = np.log(np.array([point.seconds for point in curve])).T
    drawn = (_kept if len(curve) <= KEPT else _numbers)(name, DRAWS * len(curve))
    numbers = drawn.reshape(DRAWS, len(curve))
    logs: Array = value + numbers * np.where(numbers > 0, high - value, value - low) / _REACH
    return logs


def _numbers(name: str, count: int) -> Array:
    """The first of the numbers of a name."""
    return np.array(list(islice(normals(name), count)))


_kept = lru_cache(maxsize=500)(_numbers)
"""Devices that are measured alike share them."""


def moved(interval: Interval, number: float) -> float:
    """A value that may be of either sign, where a standard normal distribution had ``number``."""
    half = interval.high - interval.value if number > 0 else interval.value - interval.low
    return interval.value + number * half / _REACH


def interval(value: float, drawn: Iterable[float]) -> Interval:
    """A value with the interval that 95 % of its draws lie in."""
    ordered = sorted(drawn)
    outside = round(len(ordered) * (1 - CONFIDENCE) / 2)
    return Interval(min(ordered[outside], value), value, max(ordered[-1 - outside], value))
