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
    """What one file has in a cell: a row and, but for the first file, its speed over the first's; or the reason why it has none."""

    machine: Machine
    row: Benchmark | None
    ratio: Interval | None
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
    first, *others = [_entry(column.machine, cell) for column in columns]
    return JoinedRow(cell, (first, *(entry._replace(ratio=faster(first, entry)) for entry in others)))


def _entry(machine: Machine, cell: Cell) -> Entry:
    return Entry(machine, machine.rows.get(cell), None, machine.absent.get(cell))


def faster(first: Entry, other: Entry) -> Interval | None:
    """How many times as fast as the first the other is.

    Where one has no interval, being a single value, nor has the ratio.
    """
    if first.row is None or other.row is None:
        return None
    over, under = first.machine.seconds(first.row), other.machine.seconds(other.row)
    ratio = records.quotient(over, under)
    single = over.low == over.high or under.low == under.high
    return Interval(ratio.value, ratio.value, ratio.value) if single else ratio
