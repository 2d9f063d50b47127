"""The line t(N) = a + b·N through rows of very different size: seconds of a call, and of each policy in it."""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Line(NamedTuple):
    """Seconds that a call takes for itself, a, and for each policy, b; neither is negative."""

    dispatch: float
    per_policy: float

    def seconds(self, policies: float) -> float:
        """t(N)."""
        return self.dispatch + self.per_policy * policies


class Lines(NamedTuple):
    """The same of many lines, [lines] each."""

    dispatch: Array
    per_policy: Array


def fit(sizes: tuple[int, ...], logs: Sequence[float]) -> Line:
    """The line of the least squares of log t − log(a + b·N), so that every row counts by its relative error, the shortest as the longest.

    Rows are not weighted by their intervals: where a line is not quite what happens, the narrowest interval would draw it to its row.
    Given θ = log(b/a), the best a is a mean, so only θ is searched: the best of a grid, improved by Gauss-Newton steps that stay beside it.

    Args:
        sizes: two or more different N.
        logs: logarithm of the seconds at each.
    """
    found = fits(sizes, np.array([logs]))
    return Line(found.dispatch.item(), found.per_policy.item())


def fits(sizes: tuple[int, ...], logs: Array) -> Lines:
    """A line for each row of ``logs``, [rows, sizes], all at once: a bootstrap fits a thousand."""
    thetas, shapes = _grid(sizes)
    n, means = np.array(sizes, dtype=float), logs.mean(axis=1)
    centred = _less_mean(logs)
    # The sums of squares, but for what is the same for every θ; of equals, the first is taken.
    theta = thetas[np.argmin((shapes**2).sum(axis=1) - 2.0 * centred @ shapes.T, axis=1)]
    inside = np.isfinite(theta)
    found = np.empty((len(logs), 2))
    found[theta == -np.inf] = np.stack((np.exp(means), np.zeros_like(means)), 1)[theta == -np.inf]
    found[theta == np.inf] = np.stack((np.zeros_like(means), np.exp(means - np.log(n).mean())), 1)[theta == np.inf]
    best = _improved(theta[inside], n, centred[inside])
    dispatch = np.exp(means[inside] - _shape(best, n).mean(axis=1))
    found[inside] = np.stack((dispatch, dispatch * np.exp(best)), 1)
    return Lines(found[:, 0], found[:, 1])


def misfit(line: Line, sizes: Sequence[int], logs: Sequence[float]) -> float:
    """The largest ratio between a row and the line, either way, less one."""
    return math.expm1(max(abs(value - math.log(line.seconds(n))) for n, value in zip(sizes, logs, strict=True)))


_STEP = 1.0
_BEYOND = 10.0
"""How far the grid goes past the sizes: there either part of the line is below e⁻¹⁰ of the other at every size, and taken for none."""


@lru_cache
def _grid(sizes: tuple[int, ...]) -> tuple[Array, Array]:
    """θ, [grid], and log(1 + e^θ·N) at each size less its mean, [grid, sizes]; the ends are a line without b, and one without a."""
    low, high = -math.log(max(sizes)) - _BEYOND, -math.log(min(sizes)) + _BEYOND
    thetas: Array = low + _STEP * np.arange(math.ceil((high - low) / _STEP) + 1.0)
    n = np.array(sizes, dtype=float)
    # The ends come last: of equals, the first is taken.
    shapes = np.concatenate((_shape(thetas, n), np.zeros((1, len(n))), np.log(n)[None]))
    return np.concatenate((thetas, (-np.inf, np.inf))), _less_mean(shapes)


def _improved(theta: Array, n: Array, centred: Array) -> Array:
    """Gauss-Newton steps, [rows]."""
    low, high = theta - _STEP, theta + _STEP
    for _ in range(20):
        slopes = _less_mean(1.0 / (1.0 + np.exp(-theta)[:, None] / n))
        rest = centred - _less_mean(_shape(theta, n))
        before, theta = theta, np.clip(theta + (slopes * rest).sum(axis=1) / (slopes * slopes).sum(axis=1), low, high)
        if np.all(np.abs(theta - before) < 1e-10):  # noqa: PLR2004 — far below what a row is known to
            break
    return theta


def _shape(theta: Array, n: Array) -> Array:
    shape: Array = np.log1p(np.exp(theta)[:, None] * n)
    return shape


def _less_mean(values: Array) -> Array:
    less: Array = values - values.mean(axis=1, keepdims=True)
    return less
