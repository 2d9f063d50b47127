"""What a call takes for N policies and S steps, by the rows around it.

Between two sizes a straight line from row to row, which is a + b·N by the rows on both sides, and meets every row. Leaving one size of
this project's own variants out of the committed evidence, it predicts that to within 15 % (root mean square), no worse than the line
fitted to all the others, and much better than interpolated logarithms do: the knee between dispatch and work lies between any two rows
that are decades apart. Past the rows the fitted line goes on from the last one, its misfit widening the interval. ``tests/test_cost.py``
holds it to that.
"""

import math
from dataclasses import dataclass
from functools import cached_property

from bench.cost.curves import Curve, Point
from bench.cost.line import Line, fit
from bench.cost.model import line_through, misfit_of
from bench.evidence.records import Interval


@dataclass(frozen=True)
class Predictor:
    """The seconds of a call of one variant, by the rows of one curve and those of other numbers of steps.

    Attributes:
        curve: rows of ``steps`` steps, one or more sizes.
        steps: how many.
        growth: seconds by steps, at one N: two or more, or none.
    """

    curve: Curve
    steps: int
    growth: tuple[tuple[int, float], ...] = ()

    def seconds(self, policies: int, steps: int) -> Interval:
        """Seconds with the interval of the rows around; how wrong the lines between them may be is not in it.

        What of a call does not grow with steps is known at one N. Larger calls have the same seconds of it, and the rest is in
        proportion. Smaller calls have at least the same share, at most the same seconds: the interval covers both, the value is their
        geometric mean.
        """
        low, value, high = _along(self.curve, self.line, policies)
        most = min(self._call.dispatch / value, 1.0)
        least = min(self._share, most)
        factors = sorted(fixed + (1 - fixed) * steps / self.steps for fixed in (least, most))
        return Interval(low * factors[0], value * math.sqrt(factors[0] * factors[1]), high * factors[1])

    @cached_property
    def line(self) -> Line | None:
        """The line that goes on past the rows."""
        return line_through(self.curve)

    @property
    def largest(self) -> int:
        """The largest N that was measured."""
        return self.curve[-1].policies

    @property
    def of_steps(self) -> str:
        """How the rows' seconds are taken to other numbers of steps, in words."""
        return f"from {self.steps} steps {'by their growth' if self.growth else 'in proportion'}"

    def within(self, policies: int) -> bool:
        """Whether rows stand at N, or on both sides of it."""
        return self.curve[0].policies <= policies <= self.largest

    def nearest(self, policies: int) -> tuple[Point, ...]:
        """The rows that a prediction comes from: one or two."""
        below = [point for point in self.curve if point.policies <= policies]
        above = [point for point in self.curve if point.policies >= policies]
        return tuple(dict.fromkeys([*below[-1:], *above[:1]]))

    @cached_property
    def _call(self) -> Line:
        """Seconds of a call by steps, at one N."""
        if not self.growth:
            return Line(0.0, 1.0)
        return fit(tuple(steps for steps, _ in self.growth), [math.log(seconds) for _, seconds in self.growth])

    @cached_property
    def _share(self) -> float:
        return self._call.dispatch / self._call.seconds(self.steps)


def _along(curve: Curve, line: Line | None, policies: int) -> Interval:
    """Seconds at N by the rows of a curve; those of its one row, whatever N, where it has no line."""
    below = [point for point in curve if point.policies <= policies]
    above = [point for point in curve if point.policies >= policies]
    if below and above:
        return _between(below[-1], above[0], policies)
    nearest = below[-1] if below else above[0]
    if line is None:
        return nearest.seconds
    factor, doubt = line.seconds(policies) / line.seconds(nearest.policies), 1 + misfit_of(line, curve)
    low, value, high = nearest.seconds
    return Interval(low * factor / doubt, value * factor, high * factor * doubt)


def _between(first: Point, last: Point, policies: int) -> Interval:
    if first.policies == last.policies:
        return first.seconds
    share = (policies - first.policies) / (last.policies - first.policies)
    return Interval(*((1 - share) * one + share * other for one, other in zip(first.seconds, last.seconds, strict=True)))
