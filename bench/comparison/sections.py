"""A comparison for people: sections and tables in a style."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from tabulate import tabulate

from bench.comparison.columns import Column, differences
from bench.comparison.crossings import Takeover, orders, takeovers
from bench.comparison.rows import QUESTIONS, Entry, JoinedRow, rows
from bench.evidence import records
from bench.evidence.kinds import Kind
from bench.evidence.machine import Machine, meanings
from bench.evidence.records import Interval
from bench.evidence.schema import Benchmark, Cell, Question
from bench.evidence.untrusted import plain
from bench.tables.cells import coded, escaped, scaled, with_interval
from bench.tables.table import Reasons


class Style(NamedTuple):
    """``quote`` makes a file's text safe to show, ``name`` a name such as a variant's; the others are for titles and what is to be seen."""

    quote: Callable[[object], str]
    name: Callable[[object], str]
    strong: str
    heading: str
    table_format: str

    def table(self, lines: Iterable[Sequence[str]], headers: Sequence[str]) -> str:
        """A table of cells that are safe already."""
        return tabulate([list(line) for line in lines], headers=headers, tablefmt=self.table_format, disable_numparse=True) + "\n"


MARKDOWN = Style(escaped, coded, strong="**", heading="## ", table_format="github")
TERMINAL = Style(plain, plain, strong="", heading="", table_format="simple")

HEAD = """In each cell: the median with its 95 % interval; × how many times as fast as the first file, with the interval of that ratio,
which takes the files for independent runs; marks. The last column is the identity of each file's row."""

BETWEEN = """Between two neighbouring N that were measured, where another variant is the fastest at the second; interpolated on straight
lines from row to row. Nothing was measured in between. Unclear: within the intervals at one of the two N."""

UNITS = {"steady state": "policy-steps per second", "latency": "time of one step", "cold start": "time of a fresh process"}

PLACE = ("variant", "objective", "optimizer", "arithmetic", "steps", "cache", "ranks")
"""What tells rows of one table apart beside N; shown where more than one value is there."""

PROBLEM = ("objective", "optimizer", "arithmetic", "steps")


def text(columns: Sequence[Column], style: Style) -> str:
    """The whole page."""
    reasons = Reasons(style.quote, style.strong)
    compared = {question: rows(columns, question) for question in QUESTIONS}
    names = [style.quote(column.name) for column in columns]
    parts = [
        f"{style.heading}{' against '.join((', '.join(names[1:]), names[0]))}\n",
        *_weak(columns, style),
        *_fingerprints(columns, names, style),
        f"{HEAD}\n",
        *(part for question, joined in compared.items() if joined for part in _question(question, joined, names, style, reasons)),
        *_takeovers(columns, names, style),
        *_orders(compared["steady state"], names, style),
        *_legend(compared.values()),
        *reasons.lines(),
        *(f"{style.quote(column.name)}: {style.quote(reason)}  " for column in columns for reason in column.machine.nameless),
    ]
    return "\n".join(parts).rstrip() + "\n"


def _weak(columns: Sequence[Column], style: Style) -> list[str]:
    weak = [(column.name, reason) for column in columns for reason in column.machine.doubts]
    lines = [f"{style.strong}Weak figures of {style.quote(name)}: {style.quote(reason)}.{style.strong}  " for name, reason in weak]
    return [*lines, ""] if lines else []


def _fingerprints(columns: Sequence[Column], names: list[str], style: Style) -> Iterator[str]:
    yield f"{style.heading}What differs between the files\n"
    lines = [
        (style.quote(key), *("–" if value is None else style.quote(value) for value in values)) for key, values in differences(columns)
    ]
    yield style.table(lines, ("", *names)) if lines else "Nothing in their fingerprints: the same machine and software.\n"


def _question(question: Question, joined: list[JoinedRow], names: list[str], style: Style, reasons: Reasons) -> Iterator[str]:
    unit = UNITS.get(question, "time of a call")
    cells = [row.cell for row in joined]
    yield f"{style.heading}{', '.join((f'{question.capitalize()}: {unit}', *_everywhere(cells, style)))}\n"
    places = _places(cells)
    lines = []
    for row in joined:
        head = [style.name(row.cell.variant) if place == "variant" else _value(getattr(row.cell, place), style) for place in places]
        shown = [_cell(entry, reasons) for entry in row.entries]
        lines.append((*head, f"{row.cell.policies:,}", *shown, _identity(row.entries)))
    yield style.table(lines, (*places, "N", *names, "identity"))


def _places(cells: Sequence[Cell]) -> list[str]:
    """The columns that tell rows apart; a variant is always named where there is one."""
    several = [place for place in PLACE if len({getattr(cell, place) for cell in cells}) > 1]
    return several if "variant" in several or cells[0].variant is None else ["variant", *several]


def _everywhere(cells: Sequence[Cell], style: Style) -> list[str]:
    """What is the same in all rows of a table, for its title."""
    values = [(place, {getattr(cell, place) for cell in cells}) for place in PLACE[1:]]
    return [f"{style.quote(*same)}{' steps' if place == 'steps' else ''}" for place, same in values if len(same) == 1 and any(same)]


def _value(value: object, style: Style) -> str:
    return "–" if value is None else style.quote(value)


def _cell(entry: Entry, reasons: Reasons) -> str:
    if entry.row is None:
        return reasons.cell(entry.absence)
    ratio, marks = f", × {_ratio(entry.ratio)}" if entry.ratio else "", entry.machine.marks(entry.row)
    return _measured(entry.machine, entry.row) + ratio + (f" ({marks})" if marks else "")


def _measured(machine: Machine, row: Benchmark) -> str:
    facts = row.extra_info
    if facts.question == "steady state":
        return with_interval(machine.speed(row))
    per = facts.steps if facts.question == "latency" else 1
    return with_interval(Interval(*(value / per for value in machine.seconds(row))), seconds=True)


def _ratio(ratio: Interval) -> str:
    low, value, high = map(scaled, ratio)
    return f"{value} [{low}, {high}]" if ratio.low < ratio.high else value


def _identity(entries: Sequence[Entry]) -> str:
    """Level and largest distance of each file's row; once where all say the same."""
    texts = [f"{entry.row.extra_info.identity}, {records.max_ulp(entry.row.extra_info):.1f} ULP" if entry.row else "–" for entry in entries]
    return texts[0] if len(set(texts)) == 1 else " / ".join(texts)


def _takeovers(columns: Sequence[Column], names: list[str], style: Style) -> Iterator[str]:
    lines = [(names[takeover.file], *_problem(takeover.problem, style), *_takeover(takeover, style)) for takeover in takeovers(columns)]
    yield f"{style.heading}Where another variant becomes the fastest\n"
    if not lines:
        yield "Nowhere: in each file one variant is the fastest at every N that was measured.\n"
        return
    yield f"{BETWEEN}\n"
    yield style.table(lines, ("file", *PROBLEM, "from", "to", "between N", "about N ="))


def _takeover(takeover: Takeover, style: Style) -> tuple[str, ...]:
    low, high, at, before, after = takeover.crossing
    about = "not known: one of both was not measured on both sides" if at is None else f"{at:,.0f}{'' if takeover.clear else ' (unclear)'}"
    return style.name(before), style.name(after), f"{low:,} and {high:,}", about


def _problem(problem: Kind, style: Style) -> tuple[str, ...]:
    return *(_value(value, style) for value in (problem.objective, problem.optimizer, problem.arithmetic)), str(problem.steps)


def _orders(joined: list[JoinedRow], names: list[str], style: Style) -> Iterator[str]:
    lines = [
        (*_problem(order.problem, style), f"{order.policies:,}", *(", ".join(map(style.name, variants)) for variants in order.orders))
        for order in orders(joined)
    ]
    yield f"{style.heading}Where the order of the variants differs, of those that all files measured, by their medians, the fastest first\n"
    yield style.table(lines, (*PROBLEM, "N", *names)) if lines else "Nowhere.\n"


def _legend(compared: Iterable[list[JoinedRow]]) -> list[str]:
    used = (entry.machine.marks(entry.row) for joined in compared for row in joined for entry in row.entries if entry.row)
    return [f"({letter}) {text}  " for letter, text in meanings(used).items()]
