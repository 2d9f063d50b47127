"""A comparison for programs: a line a cell and file as CSV, or everything as JSON."""

import csv
import io
import json
from collections.abc import Iterator, Sequence

from bench.comparison.columns import Column, differences
from bench.comparison.crossings import Order, Takeover, orders, takeovers
from bench.comparison.rows import QUESTIONS, Entry, JoinedRow, rows, speed_of
from bench.evidence import records
from bench.evidence.kinds import Kind
from bench.evidence.records import Interval
from bench.evidence.schema import Cell
from bench.tables.cells import spreadsheet_safe

PLACE = ("question", "variant", "objective", "optimizer", "arithmetic", "policies", "steps", "cache", "ranks")
RESULT = (
    "status", "reason", "seconds", "seconds_low", "seconds_high", "speed", "speed_low", "speed_high",
    "ratio", "ratio_low", "ratio_high", "identity", "max_ulp", "ambiguous", "marks",
)  # fmt: skip
"""``speed`` is policy-steps per second, or policies where none is trained; ``ratio`` is of speeds over the first file's, which has none."""


def as_csv(columns: Sequence[Column]) -> str:
    """A line for each cell and file."""
    out = io.StringIO()
    writer = csv.DictWriter(out, ("file", *PLACE, *RESULT), lineterminator="\n")
    writer.writeheader()
    for row in _all_rows(columns):
        for column, entry in zip(columns, row.entries, strict=True):
            line = {"file": column.name} | _place(row.cell) | _result(row.cell, entry)
            writer.writerow({name: spreadsheet_safe(_short(value)) for name, value in line.items()})
    return out.getvalue()


def as_json(columns: Sequence[Column]) -> str:
    """Files, what differs between them, rows with a result for each file, crossings and orders. Characters beyond ASCII are escaped."""
    every_row = list(_all_rows(columns))
    steady = [row for row in every_row if row.cell.question == "steady state"]
    content = {
        "files": [_file(column) for column in columns],
        "fingerprints": {key: list(values) for key, values in differences(columns)},
        "rows": [_place(row.cell) | {"results": [_result(row.cell, entry) for entry in row.entries]} for row in every_row],
        "crossings": [_takeover(takeover) for takeover in takeovers(columns)],
        "orders": [_order(order) for order in orders(steady)],
    }
    return json.dumps(content, indent=1, allow_nan=False) + "\n"


def _all_rows(columns: Sequence[Column]) -> Iterator[JoinedRow]:
    for question in QUESTIONS:
        yield from rows(columns, question)


def _file(column: Column) -> dict[str, object]:
    part = column.machine.evidence.targetrl
    return {
        "name": column.name, "label": part.label, "device": part.device, "commit": part.fingerprint.commit,
        "dirty": part.fingerprint.dirty, "weak": column.weak, "without_place": column.nameless,
    }  # fmt: skip


def _place(cell: Cell) -> dict[str, object]:
    return {name: getattr(cell, name) for name in PLACE}


def _result(cell: Cell, entry: Entry) -> dict[str, object]:
    """Every key of ``RESULT`` that has a value."""
    if entry.row is None or entry.seconds is None:
        absence = entry.absence
        return {"status": absence.kind if absence else "not measured", "reason": absence.reason if absence else "not part of this run"}
    facts = entry.row.extra_info
    result: dict[str, object] = {"status": "measured", **_ends("seconds", entry.seconds), **_ends("speed", speed_of(cell, entry.seconds))}
    if entry.ratio is not None:
        result |= _ends("ratio", entry.ratio)
    return result | {"identity": facts.identity, "max_ulp": records.max_ulp(facts), "ambiguous": facts.ambiguous, "marks": entry.marks}


def _ends(name: str, interval: Interval) -> dict[str, float]:
    return {name: interval.value, f"{name}_low": interval.low, f"{name}_high": interval.high}


def _takeover(takeover: Takeover) -> dict[str, object]:
    """``about_policies`` is interpolated between the two N that were measured; None where it cannot be."""
    low, high, at, before, after = takeover.crossing
    return {"file": takeover.file} | _problem(takeover.problem) | {
        "from": before, "to": after, "measured_policies": [low, high], "about_policies": at, "clear": takeover.clear,
    }  # fmt: skip


def _order(order: Order) -> dict[str, object]:
    place = dict.fromkeys(PLACE) | {"question": "steady state", "policies": order.policies}
    return place | _problem(order.problem) | {"fastest_first": order.orders}


def _problem(problem: Kind) -> dict[str, object]:
    return {"objective": problem.objective, "optimizer": problem.optimizer, "arithmetic": problem.arithmetic, "steps": problem.steps}


def _short(value: object) -> object:
    return f"{value:.6g}" if isinstance(value, float) else value
