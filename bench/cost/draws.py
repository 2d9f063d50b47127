"""Intervals of what is computed from rows: the rows are drawn again within their own intervals, and it is computed anew.

A parametric bootstrap: the seconds of a row are log-normal, on either side of the median as wide as its 95 % interval says there. Rows are
drawn apart from each other. Part of what moves them, the process, moves all of a run together, so that differences are known better
than this says. The draws are the same each time, so that tables are.
"""

import random
from functools import lru_cache
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


def redrawn(curve: Curve, name: str) -> Array:
    """``DRAWS`` times the logarithms of the curve's seconds, as other runs might have had them, [DRAWS, sizes]."""
    low, value, high = np.log(np.array([point.seconds for point in curve])).T
    drawn = (normals if len(curve) <= KEPT else _drawn)(name, DRAWS * len(curve))
    numbers = drawn.reshape(DRAWS, len(curve))
    logs: Array = value + numbers * np.where(numbers > 0, high - value, value - low) / _REACH
    return logs


def _drawn(name: str, count: int) -> Array:
    """Numbers of a standard normal distribution, others for each name."""
    source = random.Random(name)  # noqa: S311 — no secrets
    return np.array([_NORMAL.inv_cdf(source.uniform(1e-12, 1 - 1e-12)) for _ in range(count)])


normals = lru_cache(maxsize=500)(_drawn)
"""The same, kept: devices that are measured alike share them."""


def moved(interval: Interval, numbers: Array) -> Array:
    """A value that may be of either sign, where a standard normal distribution had each of ``numbers``."""
    halves = np.where(numbers > 0, interval.high - interval.value, interval.value - interval.low)
    values: Array = interval.value + numbers * halves / _REACH
    return values


def interval(value: float, drawn: Array) -> Interval:
    """A value with the interval that 95 % of its draws lie in."""
    ordered = np.sort(drawn).tolist()
    outside = round(len(ordered) * (1 - CONFIDENCE) / 2)
    return Interval(min(ordered[outside], value), value, max(ordered[-1 - outside], value))
