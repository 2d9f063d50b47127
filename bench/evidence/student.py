"""Student's t: how far a mean of few values may be off."""

import math
from functools import lru_cache


@lru_cache
def quantile(freedom: int, confidence: float) -> float:
    """The t that |T| stays below with probability ``confidence``, for whole degrees of freedom, by bisection over its angle."""
    low, high = 0.0, math.pi / 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _within(middle, freedom) < confidence else (low, middle)
    return math.sqrt(freedom) * math.tan(high)


def _within(angle: float, freedom: int) -> float:
    """Probability of less than √freedom · tan(angle) either way: the finite series of Abramowitz and Stegun, 26.7.3 and 26.7.4."""
    sine, cosine, odd = math.sin(angle), math.cos(angle), freedom % 2
    term, total = (cosine, 0.0) if odd else (1.0, 0.0)
    for k in range(2 + odd, freedom + 1, 2):
        total += term
        term *= cosine**2 * (k - 1) / k
    return 2 / math.pi * (angle + sine * total) if odd else sine * total


def upper_tail(t: float, freedom: int) -> float:
    """Probability that T exceeds ``t``."""
    outside = max(1.0 - _within(math.atan(abs(t) / math.sqrt(freedom)), freedom), 0.0)
    return outside / 2 if t >= 0 else 1.0 - outside / 2
