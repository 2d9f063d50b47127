"""From which N on one variant is faster than another: where their lines cross."""

import math
from collections.abc import Iterator, Sequence
from itertools import permutations
from typing import NamedTuple

from bench.cost import draws
from bench.cost.line import Line
from bench.cost.model import Model
from bench.evidence.records import Interval

NEAR = 10
"""How many times beyond the sizes that both were measured at a crossing is still told, as extrapolated."""


class Crossing(NamedTuple):
    """``faster`` overtakes ``slower`` at some N; infinite ends of the interval: it may be never."""

    faster: Model
    slower: Model
    policies: Interval

    @property
    def extrapolated(self) -> bool:
        """Whether no row of one of them is as large."""
        return self.policies.value > min(self.faster.largest, self.slower.largest)


def overtakes(faster: Line, slower: Line, head_start: float = 0.0) -> float:
    """The N from which on ``faster`` takes less time, though it begins ``head_start`` seconds later; 0: always, infinite: never."""
    behind = head_start + faster.dispatch - slower.dispatch
    saved = slower.per_policy - faster.per_policy
    if saved <= 0:
        return 0.0 if behind < 0 and saved == 0 else math.inf
    return max(behind / saved, 0.0)


def policies_from(faster: Model, slower: Model, head_start: Interval | None = None) -> Interval:
    """The same with its interval, over what is drawn again of both lines and of the head start."""
    pairs = zip(faster.drawn, slower.drawn, strict=True)
    if head_start is None:
        return draws.interval(overtakes(faster.line, slower.line), [overtakes(one, other) for one, other in pairs])
    numbers = draws.normals(f"{faster.kind} after {slower.kind}")
    drawn = [overtakes(one, other, draws.moved(head_start, number)) for (one, other), number in zip(pairs, numbers, strict=False)]
    return draws.interval(overtakes(faster.line, slower.line, head_start.value), drawn)


def crossings(models: Sequence[Model]) -> Iterator[Crossing]:
    """Every pair of which one overtakes the other at a size that was measured, or near one."""
    for faster, slower in permutations(models, 2):
        value = overtakes(faster.line, slower.line)
        smallest = max(faster.curve[0].policies, slower.curve[0].policies)
        if smallest < value <= NEAR * min(faster.largest, slower.largest):
            yield Crossing(faster, slower, policies_from(faster, slower))
