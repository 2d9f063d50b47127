"""What a call takes for N policies and S steps, by rows of evidence: the rule of the tables, of `compare`, `recommend` and the page.

1. A row of S₀ steps takes f + (t − f)·S/S₀ for S steps; f does not grow with them: so many seconds, but no larger a share of the row, as
   where the growth with steps was measured, or nothing where it was not.
2. Between two rows a straight line leads from one to the other.
3. Past the rows the line through the nearest two goes on, neither a nor b of its a + b·N negative. One row tells of its own N alone.
4. From a cold start, starting comes on top.
5. The fastest is what takes least. Between neighbouring N of all rows every time is a straight line: another is the fastest where two meet.

Leaving one size of this project's own variants out of the committed evidence, it predicts that to within 15 % (root mean square), no worse
than the line fitted to all the others, and much better than interpolated logarithms do: the knee between dispatch and work lies between any
two rows that are decades apart. ``tests/test_cost.py`` holds it to that. How wrong the lines may be is in no interval.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import Generic, NamedTuple, TypeVar

from bench.cost.curves import Curve, Point
from bench.evidence.records import Interval


class StepGrowth(NamedTuple):
    """Of a call that took ``whole`` seconds for as many steps as the rows have, ``fixed`` do not grow with steps."""

    fixed: float
    whole: float


NO_GROWTH = StepGrowth(0.0, 1.0)
"""All of a call is in proportion to its steps."""


ROUNDING = 1e-12
"""Share of a difference's terms below which it is rounding, and taken for nothing."""


Name = TypeVar("Name")


class Crossing(NamedTuple, Generic[Name]):
    """Between ``low`` and ``high`` policies ``after`` takes less than ``before``, which took the least.

    ``at`` is the N at which their lines meet, None where one of both is not known at both ends.
    """

    low: int
    high: int
    at: float | None
    before: Name
    after: Name


def fit(points: Sequence[tuple[int, float]]) -> tuple[float, float]:
    """The a and b, neither negative, of the line a + b·x with the least squares of (a + b·x) / t − 1 through two or more (x, t).

    So every row counts by its relative error, the shortest as the longest. Rows are not weighted by their intervals: where a line is not
    quite what happens, the narrowest interval would draw it to its row.
    """
    ones, slopes = [1 / t for _, t in points], [x / t for x, t in points]
    u, v, uu, uv, vv = sum(ones), sum(slopes), _product(ones, ones), _product(ones, slopes), _product(slopes, slopes)
    a, b, determinant = u * vv - v * uv, v * uu - u * uv, uu * vv - uv * uv
    if a <= ROUNDING * u * vv or determinant <= ROUNDING * uu * vv:
        return 0.0, v / vv
    return (u / uu, 0.0) if b <= ROUNDING * v * uu else (a / determinant, b / determinant)


def _product(left: Sequence[float], right: Sequence[float]) -> float:
    return sum(x * y for x, y in zip(left, right, strict=True))


def of_steps(curve: Curve, ratio: float, growth: StepGrowth = NO_GROWTH) -> Curve:
    """The rows as they would be of ``ratio`` times as many steps."""
    shares = [growth.fixed / max(growth.whole, point.seconds.value) for point in curve]
    return tuple(point.times(share + (1 - share) * ratio) for point, share in zip(curve, shares, strict=True))


def tells(curve: Curve, policies: int) -> bool:
    """Whether the rows tell of N: one alone tells of its own, none of none."""
    return len(curve) > 1 or any(point.policies == policies for point in curve)


def parts(curve: Curve, policies: int) -> list[tuple[Point, float]]:
    """The rows that N is told from, where they tell of it: one or two, each with the factor that its seconds have in the sum."""
    index = bisect_left(curve, policies, key=lambda point: point.policies)
    if index < len(curve) and curve[index].policies == policies:
        return [(curve[index], 1.0)]
    if 0 < index < len(curve):
        first, last = curve[index - 1], curve[index]
        share = (policies - first.policies) / (last.policies - first.policies)
        return [(first, 1 - share), (last, share)]
    near, next_ = (curve[0], curve[1]) if index == 0 else (curve[-1], curve[-2])
    time, n = near.seconds.value, near.policies
    b = min(max((time - next_.seconds.value) / (n - next_.policies), 0.0), time / n)
    a = max(time - b * n, 0.0)
    return [(near, (a + b * policies) / time)]


def seconds(curve: Curve, policies: int) -> Interval:
    """Seconds of a call of N policies that the rows tell of, with the interval of those that it is told from."""
    scaled = [point.times(factor).seconds for point, factor in parts(curve, policies)]
    return Interval(*(sum(ends) for ends in zip(*scaled, strict=True)))


def within(curve: Curve, policies: int) -> bool:
    """Whether rows stand at N, or on both sides of it."""
    return curve[0].policies <= policies <= curve[-1].policies


def times_within(curves: Mapping[Name, Curve], policies: int) -> dict[Name, float]:
    """Seconds of those that have rows at N or on both sides of it."""
    return {name: seconds(curve, policies).value for name, curve in curves.items() if within(curve, policies)}


def crossings_within(curves: Mapping[Name, Curve]) -> Iterator[Crossing[Name]]:
    """Where another of some curves becomes the fastest, as far as they have rows."""
    return crossings(partial(times_within, curves), (point.policies for curve in curves.values() for point in curve))


def crossings(times: Callable[[int], Mapping[Name, float]], sizes: Iterable[int]) -> Iterator[Crossing[Name]]:
    """Where another becomes the fastest.

    Args:
        times: the known seconds at N, by name; straight lines between neighbouring sizes.
        sizes: N, in any order.
    """
    for (low, first), (high, last) in pairwise((n, times(n)) for n in sorted(set(sizes))):
        if first and last:
            before, after = min(first, key=first.__getitem__), min(last, key=last.__getitem__)
            if before in last and after in first:
                yield from _meetings(low, high, before, {name: (first[name], last[name]) for name in first if name in last})
            else:
                yield Crossing(low, high, None, before, after)


def _meetings(low: int, high: int, before: Name, ends: Mapping[Name, tuple[float, float]]) -> Iterator[Crossing[Name]]:
    """Along the least of some straight lines, given by their times at both ends, from ``before``: each meets the next that ends lower."""

    def share(other: Name) -> float:
        later, sooner = ends[other][0] - ends[before][0], ends[before][1] - ends[other][1]
        return later / (later + sooner)

    while lower := [name for name, (_, end) in ends.items() if end < ends[before][1]]:
        after = min(lower, key=share)
        yield Crossing(low, high, low + share(after) * (high - low), before, after)
        before = after
