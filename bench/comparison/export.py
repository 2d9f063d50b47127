"""A comparison for programs: a line a cell and file as CSV, or everything as JSON."""

import json
from collections.abc import Iterator, Sequence

from bench.comparison.columns import Column, differences
from bench.comparison.crossings import Order, Takeover, orders, takeovers
from bench.comparison.rows import QUESTIONS, Entry, JoinedRow, rows
from bench.evidence.kinds import Kind
from bench.tables import flat
from bench.tables.flat import PLACE, Record

RESULT = (
    "status", "reason", "seconds", "seconds_low", "seconds_high", "speed", "speed_low", "speed_high",
    "ratio", "ratio_low", "ratio_high", "identity", "max_ulp", "ambiguous", "marks",
)  # fmt: skip
"""``speed`` is policy-steps per second, or policies where none is trained; ``ratio`` is of speeds over the first file's, which has none."""


def as_csv(columns: Sequence[Column]) -> str:
    """A line for each cell and file."""
    lines = (
        {"file": column.name} | flat.place(row.cell) | _result(entry)
        for row in _all_rows(columns)
        for column, entry in zip(columns, row.entries, strict=True)
    )
    return flat.as_csv(("file", *PLACE, *RESULT), lines)


def as_json(columns: Sequence[Column]) -> str:
    """Files, what differs between them, rows with a result for each file, crossings and orders. Characters beyond ASCII are escaped."""
    every_row = list(_all_rows(columns))
    steady = [row for row in every_row if row.cell.question == "steady state"]
    content = {
        "files": [_file(column) for column in columns],
        "fingerprints": {key: list(values) for key, values in differences(columns)},
        "rows": [flat.place(row.cell) | {"results": [_result(entry) for entry in row.entries]} for row in every_row],
        "crossings": [_takeover(takeover) for takeover in takeovers(columns)],
        "orders": [_order(order) for order in orders(steady)],
    }
    return json.dumps(content, indent=1, allow_nan=False) + "\n"


def _all_rows(columns: Sequence[Column]) -> Iterator[JoinedRow]:
    for question in QUESTIONS:
        yield from rows(columns, question)


def _file(column: Column) -> Record:
    part = column.machine.evidence.targetrl
    return {
        "name": column.name, "label": part.label, "device": part.device, "commit": part.fingerprint.commit,
        "dirty": part.fingerprint.dirty, "weak": column.machine.doubts, "without_place": column.machine.nameless,
    }  # fmt: skip


def _result(entry: Entry) -> Record:
    """Every key of ``RESULT`` that has a value."""
    if entry.row is None:
        return flat.absent(entry.absence)
    return flat.measured(entry.machine, entry.row) | (flat.ends("ratio", entry.ratio) if entry.ratio else {})


def _takeover(takeover: Takeover) -> Record:
    """``about_policies`` is interpolated between the two N that were measured; None where it cannot be."""
    low, high, at, before, after = takeover.crossing
    return {"file": takeover.file} | _problem(takeover.problem) | {
        "from": before, "to": after, "measured_policies": [low, high], "about_policies": at, "clear": takeover.clear,
    }  # fmt: skip


def _order(order: Order) -> Record:
    place = dict.fromkeys(PLACE) | {"question": "steady state", "policies": order.policies}
    return place | _problem(order.problem) | {"fastest_first": order.orders}


def _problem(problem: Kind) -> Record:
    return {"objective": problem.objective, "optimizer": problem.optimizer, "arithmetic": problem.arithmetic, "steps": problem.steps}
