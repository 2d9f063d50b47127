"""Where another variant becomes the fastest, in each file; and where files put the variants in different orders."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from bench.comparison.columns import Column
from bench.comparison.rows import JoinedRow
from bench.cost.curves import Curve, problems
from bench.cost.predict import Crossing, crossings_within, seconds
from bench.evidence.kinds import Kind, kind_of


class Takeover(NamedTuple):
    """Where another variant becomes the fastest in one file and problem, by the straight lines from row to row.

    ``clear`` tells that the intervals of both lie apart at either end.
    """

    file: int
    problem: Kind
    crossing: Crossing[str]
    clear: bool


class Order(NamedTuple):
    """Variants at one N of one problem, the fastest first, in each file: those measured in all files."""

    problem: Kind
    policies: int
    orders: tuple[tuple[str, ...], ...]


def takeovers(columns: Sequence[Column]) -> Iterator[Takeover]:
    """Those of every file, by problem."""
    files = [problems(column.machine) for column in columns]
    for problem in dict.fromkeys(problem for groups in files for problem in groups):
        for file, groups in enumerate(files):
            curves = groups.get(problem, {})
            for crossing in crossings_within(curves):
                yield Takeover(file, problem, crossing, _clear(crossing, curves[crossing.before], curves[crossing.after]))


def _clear(crossing: Crossing[str], before: Curve, after: Curve) -> bool:
    if crossing.at is None:
        return False
    ahead, behind = seconds(before, crossing.low).high, seconds(after, crossing.high).high
    return ahead < seconds(after, crossing.low).low and behind < seconds(before, crossing.high).low


def orders(rows: Sequence[JoinedRow]) -> Iterator[Order]:
    """The N at which files differ in the order of the variants that all of them have measured."""
    timed: dict[Kind, dict[int, list[tuple[str, list[float]]]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        times = [entry.machine.seconds(entry.row).value for entry in row.entries if entry.row]
        if len(times) == len(row.entries):
            timed[kind_of(row.cell).problem][row.cell.policies].append((str(row.cell.variant), times))
    for problem, sizes in timed.items():
        for policies, variants in sorted(sizes.items()):
            order = tuple(_order(variants, file) for file in range(len(rows[0].entries)))
            if len(set(order)) > 1:
                yield Order(problem, policies, order)


def _order(variants: Sequence[tuple[str, list[float]]], file: int) -> tuple[str, ...]:
    return tuple(name for name, times in sorted(variants, key=lambda variant: variant[1][file]))
