"""Sums and differences of seconds that are known within intervals, apart from each other: distances are added in squares."""

from math import hypot

from bench.evidence.records import Interval


def total(one: Interval, other: Interval) -> Interval:
    """One after the other; never below nothing."""
    value = one.value + other.value
    down, up = hypot(one.value - one.low, other.value - other.low), hypot(one.high - one.value, other.high - other.value)
    return Interval(max(value - down, 0.0), value, value + up)


def difference(one: Interval, other: Interval) -> Interval:
    """How much longer ``one`` takes; of either sign."""
    value = one.value - other.value
    down, up = hypot(one.value - one.low, other.high - other.value), hypot(one.high - one.value, other.value - other.low)
    return Interval(value - down, value, value + up)
