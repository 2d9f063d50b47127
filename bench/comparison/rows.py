"""The join: a row a cell, with what every file has in it."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeVar, get_args

from bench.comparison.columns import Column
from bench.evidence import records
from bench.evidence.kinds import kind_of
from bench.evidence.machine import Machine
from bench.evidence.records import Interval
from bench.evidence.schema import Absence, Benchmark, Cell, Question

QUESTIONS: tuple[Question, ...] = tuple(question for question in get_args(Question) if question != "again")
"""What is compared: a row that was timed again tells of its own run alone."""


Key = TypeVar("Key")


class Entry(NamedTuple):
    """What one file has in a cell: times and, but for the first file, its speed over the first's; or the reason why it has none."""

    row: Benchmark | None
    seconds: Interval | None
    ratio: Interval | None
    marks: str
    absence: Absence | None


class JoinedRow(NamedTuple):
    """One cell, and an entry for each file."""

    cell: Cell
    entries: tuple[Entry, ...]


def rows(columns: Sequence[Column], question: Question) -> list[JoinedRow]:
    """The rows of a question: problems, then variants in the order of the files, then N."""
    cells = list(dict.fromkeys(cell for column in columns for cell in column.machine.cells(question)))
    problems, variants = _places(kind_of(cell).problem for cell in cells), _places((cell.variant, cell.cache, cell.ranks) for cell in cells)
    cells.sort(key=lambda cell: (problems[kind_of(cell).problem], variants[cell.variant, cell.cache, cell.ranks], cell.policies))
    return [_row(cell, columns) for cell in cells]


def _places(values: Iterable[Key]) -> dict[Key, int]:
    return {value: place for place, value in enumerate(dict.fromkeys(values))}


def _row(cell: Cell, columns: Sequence[Column]) -> JoinedRow:
    timed = [(column.machine, column.machine.rows.get(cell)) for column in columns]
    seconds = [None if row is None else seconds_of(machine, row) for machine, row in timed]
    ratios = [None, *(faster(seconds[0], mine) for mine in seconds[1:])]
    entries = [
        Entry(row, mine, ratio, machine.marks(row) if row else "", None if row else machine.absent.get(cell))
        for (machine, row), mine, ratio in zip(timed, seconds, ratios, strict=True)
    ]
    return JoinedRow(cell, tuple(entries))


def seconds_of(machine: Machine, row: Benchmark) -> Interval:
    """Seconds of a call; of a cold start, whose rounds are processes, those of a process."""
    if row.extra_info.question == "cold start":
        return records.median_interval(row.stats.data)
    return machine.seconds(row)


def speed_of(cell: Cell, seconds: Interval) -> Interval:
    """Policy-steps per second, or policies where none is trained."""
    amount = records.work(cell)
    return Interval(amount / seconds.high, amount / seconds.value, amount / seconds.low)


def faster(first: Interval | None, other: Interval | None) -> Interval | None:
    """How many times as fast as the first the other is.

    Where one has no interval, being a single value, nor has the ratio.
    """
    if first is None or other is None:
        return None
    ratio = records.quotient(first, other)
    single = first.low == first.high or other.low == other.high
    return Interval(ratio.value, ratio.value, ratio.value) if single else ratio
