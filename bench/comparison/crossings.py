"""Where another variant becomes the fastest, in each file; and where files put the variants in different orders."""

from collections.abc import Sequence
from itertools import groupby, pairwise
from math import exp, log
from typing import NamedTuple

from bench.comparison.rows import Entry, Row
from bench.evidence.kinds import Kind, kind_of
from bench.evidence.records import Interval
from bench.evidence.schema import Cell

Times = dict[str, Interval]
"""Variant → seconds, at one N."""


class Crossing(NamedTuple):
    """In one file and problem, ``before`` is the fastest of those measured at N = ``low`` and ``after`` at ``high``, the next N measured.

    ``at`` is the N between them at which the lines of both, in logarithms of N and time, cross; None where one of both was not
    measured at both. ``clear`` tells that the intervals of both lie apart at either end.
    """

    file: int
    cell: Cell
    before: str
    after: str
    low: int
    high: int
    at: float | None
    clear: bool


class Order(NamedTuple):
    """Variants at one N of one problem, the fastest first, in each file: those measured in all files."""

    cell: Cell
    orders: tuple[tuple[str, ...], ...]


def crossings(rows: Sequence[Row]) -> list[Crossing]:
    """Those of every file, by problem."""
    found = []
    for cell, group in _problems(rows):
        for file in range(len(group[0].entries)):
            sizes = _sizes(group, file)
            for low, high in pairwise(sorted(sizes.items())):
                if _fastest(low[1]) != _fastest(high[1]):
                    found.append(_crossing(file, cell, low, high))
    return found


def _fastest(times: Times) -> str:
    return min(times, key=lambda variant: times[variant].value)


def _crossing(file: int, cell: Cell, low: tuple[int, Times], high: tuple[int, Times]) -> Crossing:
    (n, there), (m, beyond) = low, high
    before, after = _fastest(there), _fastest(beyond)
    if after not in there or before not in beyond:
        return Crossing(file, cell, before, after, n, m, None, clear=False)
    ahead, behind = log(there[after].value / there[before].value), log(beyond[before].value / beyond[after].value)
    share = ahead / (ahead + behind) if ahead + behind > 0 else 0.0
    clear = there[before].high < there[after].low and beyond[after].high < beyond[before].low
    return Crossing(file, cell, before, after, n, m, exp(log(n) + share * log(m / n)), clear)


def orders(rows: Sequence[Row]) -> list[Order]:
    """The N at which files differ in the order of the variants that all of them have measured."""
    found = []
    for _, group in _problems(rows):
        for _, same in groupby(sorted(group, key=_n), key=_n):
            timed = [row for row in same if all(entry.seconds for entry in row.entries)]
            if timed:
                order = tuple(_order(timed, file) for file in range(len(group[0].entries)))
                if len(set(order)) > 1:
                    found.append(Order(timed[0].cell, order))
    return found


def _order(rows: Sequence[Row], file: int) -> tuple[str, ...]:
    return tuple(row.cell.variant or "" for row in sorted(rows, key=lambda row: _seconds(row.entries[file])))


def _seconds(entry: Entry) -> float:
    return entry.seconds.value if entry.seconds else float("inf")


def _n(row: Row) -> int:
    return row.cell.policies


def _problems(rows: Sequence[Row]) -> list[tuple[Cell, list[Row]]]:
    """The rows of each problem, and a cell that names it."""
    groups: dict[Kind, list[Row]] = {}
    for row in rows:
        groups.setdefault(kind_of(row.cell).problem, []).append(row)
    return [(group[0].cell, group) for group in groups.values()]


def _sizes(rows: Sequence[Row], file: int) -> dict[int, Times]:
    """The times at each N, as far as a file has measured them."""
    sizes: dict[int, Times] = {}
    for row in rows:
        seconds = row.entries[file].seconds
        if seconds is not None:
            sizes.setdefault(row.cell.policies, {})[row.cell.variant or ""] = seconds
    return sizes
