"""The line t(N) = a + b·N through rows of very different size: seconds of a call, and of each policy in it."""

import math
from collections.abc import Sequence
from functools import lru_cache
from operator import mul, sub
from typing import NamedTuple


class Line(NamedTuple):
    """Seconds that a call takes for itself, a, and for each policy, b; neither is negative."""

    dispatch: float
    per_policy: float

    def seconds(self, policies: float) -> float:
        """t(N)."""
        return self.dispatch + self.per_policy * policies


def fit(sizes: tuple[int, ...], logs: Sequence[float]) -> Line:
    """The line of the least squares of log t − log(a + b·N), so that every row counts by its relative error, the shortest as the longest.

    Rows are not weighted by their intervals: where a line is not quite what happens, the narrowest interval would draw it to its row.
    Given θ = log(b/a), the best a is a mean, so only θ is searched: the best of a grid, improved by Gauss-Newton steps that stay beside it.

    Args:
        sizes: two or more different N.
        logs: logarithm of the seconds at each.
    """
    mean = sum(logs) / len(logs)
    centred = [value - mean for value in logs]
    theta, _ = min(_grid(sizes), key=lambda one: _distance(one, centred))
    if theta == -math.inf:
        return Line(math.exp(mean), 0.0)
    if theta == math.inf:
        return Line(0.0, math.exp(mean - sum(map(math.log, sizes)) / len(sizes)))
    theta = _improved(theta, sizes, centred)
    dispatch = math.exp(mean - sum(_shape(theta, sizes)) / len(sizes))
    return Line(dispatch, dispatch * math.exp(theta))


def misfit(line: Line, sizes: Sequence[int], logs: Sequence[float]) -> float:
    """The largest ratio between a row and the line, either way, less one."""
    return math.expm1(max(abs(value - math.log(line.seconds(n))) for n, value in zip(sizes, logs, strict=True)))


_STEP = 1.0
_BEYOND = 10.0
"""How far the grid goes past the sizes: there either part of the line is below e⁻¹⁰ of the other at every size, and taken for none."""


@lru_cache
def _grid(sizes: tuple[int, ...]) -> tuple[tuple[float, tuple[float, ...]], ...]:
    """θ, and log(1 + e^θ·N) at each size less its mean; the ends are a line without b, and one without a."""
    low, high = -math.log(max(sizes)) - _BEYOND, -math.log(min(sizes)) + _BEYOND
    thetas = [low + _STEP * k for k in range(math.ceil((high - low) / _STEP) + 1)]
    ends = ((-math.inf, (0.0,) * len(sizes)), (math.inf, _less_mean([math.log(n) for n in sizes])))
    # The ends come last: of equals, the first is taken.
    return (*((theta, _less_mean(_shape(theta, sizes))) for theta in thetas), *ends)


def _distance(one: tuple[float, tuple[float, ...]], centred: list[float]) -> float:
    """The sum of squares, but for what is the same for every θ."""
    squares: float = sum(map(mul, one[1], one[1])) - 2.0 * sum(map(mul, one[1], centred))
    return squares


def _improved(theta: float, sizes: tuple[int, ...], centred: list[float]) -> float:
    low, high = theta - _STEP, theta + _STEP
    for _ in range(20):
        slopes = _less_mean([1.0 / (1.0 + math.exp(-theta) / n) for n in sizes])
        rest = map(sub, centred, _less_mean(_shape(theta, sizes)))
        step: float = sum(map(mul, slopes, rest)) / sum(map(mul, slopes, slopes))
        before, theta = theta, min(max(theta + step, low), high)
        if abs(theta - before) < 1e-10:  # noqa: PLR2004 — far below what a row is known to
            break
    return theta


def _shape(theta: float, sizes: tuple[int, ...]) -> list[float]:
    return [math.log1p(math.exp(theta) * n) for n in sizes]


def _less_mean(values: list[float]) -> tuple[float, ...]:
    mean = sum(values) / len(values)
    return tuple(value - mean for value in values)
