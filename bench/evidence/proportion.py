"""How sure a share is that was counted."""

import math
from collections.abc import Callable

from bench.evidence.records import CONFIDENCE, Interval


def proportion(hits: int, of: int) -> Interval:
    """A share and its exact 95 % interval (Clopper and Pearson 1934)."""
    tail = (1 - CONFIDENCE) / 2
    low = 0.0 if hits == 0 else _solve(lambda share: 1 - _at_most(hits - 1, of, share), tail)
    high = 1.0 if hits == of else _solve(lambda share: 1 - _at_most(hits, of, share), 1 - tail)
    return Interval(low, hits / of, high)


def _at_most(hits: int, of: int, share: float) -> float:
    return math.fsum(math.comb(of, k) * share**k * (1 - share) ** (of - k) for k in range(hits + 1))


def _solve(rising: Callable[[float], float], value: float) -> float:
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < value else (low, middle)
    return (low + high) / 2
