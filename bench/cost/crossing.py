"""From which N on one variant is faster than another: where their lines cross."""

from collections.abc import Iterator, Sequence
from itertools import permutations
from typing import NamedTuple

import numpy as np

from bench.cost import draws
from bench.cost.line import Array, Line, Lines
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


def overtakes(faster: Line | Lines, slower: Line | Lines, head_start: float | Array = 0.0) -> Array:
    """The N from which on ``faster`` takes less time, though it begins ``head_start`` seconds later; 0: always, infinite: never."""
    behind = head_start + faster.dispatch - slower.dispatch
    saved = np.asarray(slower.per_policy - faster.per_policy)
    with np.errstate(divide="ignore", invalid="ignore"):
        crossing = np.maximum(behind / saved, 0.0)
    return np.where(saved > 0, crossing, np.where((saved == 0) & (behind < 0), 0.0, np.inf))


def policies_from(faster: Model, slower: Model, head_start: Interval | None = None) -> Interval:
    """The same with its interval, over what is drawn again of both lines and of the head start."""
    if head_start is None:
        return draws.interval(overtakes(faster.line, slower.line).item(), overtakes(faster.drawn, slower.drawn))
    starts = draws.moved(head_start, draws.normals(f"{faster.kind} after {slower.kind}", draws.DRAWS))
    return draws.interval(overtakes(faster.line, slower.line, head_start.value).item(), overtakes(faster.drawn, slower.drawn, starts))


def crossings(models: Sequence[Model]) -> Iterator[Crossing]:
    """Every pair of which one overtakes the other at a size that was measured, or near one."""
    for faster, slower in permutations(models, 2):
        value = overtakes(faster.line, slower.line)
        smallest = max(faster.curve[0].policies, slower.curve[0].policies)
        if smallest < value <= NEAR * min(faster.largest, slower.largest):
            yield Crossing(faster, slower, policies_from(faster, slower))
