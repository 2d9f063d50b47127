"""What became of a grid: as labelled arrays, as lines and a document, and as a table, a row a cell."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from targetrl_core.errors import UsageError, one_of, require_extra
from targetrl_core.files import check_file
from targetrl_core.listing.outcomes import AT_TARGET, Outcomes
from targetrl_core.report import outcome_table, problem_fields
from targetrl_core.sweeps.axes import Axis
from targetrl_core.sweeps.run import Swept

if TYPE_CHECKING:
    from pyarrow import Table
    from xarray import Dataset

MEANINGS: dict[str, dict[str, Any]] = {
    "output": {"long_name": "output after the last update"},
    "distance": {"long_name": "|output − target|"},
    "outcome": {
        "long_name": "where the policy ended",
        "flag_values": np.arange(len(Outcomes._fields), dtype=np.int8),
        "flag_meanings": " ".join(Outcomes._fields),
    },
    "first_step": {"long_name": f"first step within {AT_TARGET} of the target; the number of steps where none was"},
}
"""The arrays of a sweep and their attributes, as the CF conventions name them."""


def labelled(swept: Swept) -> "Dataset":
    """What became of a grid, its axes named."""
    from xarray import Dataset

    grid = swept.grid
    names = [axis.name for axis in grid.axes]
    arrays = {name: (names, getattr(swept, name).reshape(grid.shape), meaning) for name, meaning in MEANINGS.items()}
    start = {name: value for name, value in grid.start._asdict().items() if value is not None}
    attributes = {name: value for name, value in (problem_fields(grid.problem) | start).items() if name not in names}
    return Dataset(arrays, {axis.name: axis.values for axis in grid.axes}, attributes | {"variant": swept.variant, "device": swept.device})


def sweep_lines(swept: Swept) -> Iterator[str]:
    """Axes, outcomes, and the best cell."""
    shared = swept.grid.problem
    yield f"{swept.grid.cells:,} cells: " + " by ".join(_span(axis) for axis in swept.grid.axes)
    yield f"{shared.objective}, {shared.steps} steps, {shared.arithmetic}, {swept.variant} on {swept.device}"
    yield outcome_table(swept.outcomes)
    yield ""
    best = best_cell(swept)
    if best is None:
        yield "best cell: none, as no output is a number"
        return
    where = ", ".join(f"{name}={value:.6g}" for name, value in best["at"].items())
    first = "not within 0.02 of it at any step" if best["first_step"] is None else f"first within 0.02 of it at step {best['first_step']}"
    yield f"best cell: {where}: output {best['output']:.6f}, {best['distance']:.2g} from the target, {first}"


def sweep_document(swept: Swept) -> dict[str, Any]:
    """The same, as a document."""
    names = {axis.name for axis in swept.grid.axes}
    return {
        "problem": {name: value for name, value in problem_fields(swept.grid.problem).items() if name not in names},
        "start": {name: value for name, value in swept.grid.start._asdict().items() if name not in names and value is not None},
        "axes": {axis.name: {"scale": axis.scale, "values": axis.values.tolist()} for axis in swept.grid.axes},
        "variant": swept.variant,
        "device": swept.device,
        "cells": swept.grid.cells,
        "outcomes": swept.outcomes._asdict(),
        "best": best_cell(swept),
    }


def best_cell(swept: Swept) -> dict[str, Any] | None:
    """The cell whose output is nearest its target, or None where no output is a number."""
    cell = swept.best
    if cell is None:
        return None
    first = int(swept.first_step[cell])
    return {
        "at": {name: values[0].item() for name, values in swept.grid.values(cell, cell + 1).items()},
        "output": float(swept.output[cell]),
        "distance": float(swept.distance[cell]),
        "outcome": Outcomes._fields[int(swept.outcome[cell])],
        "first_step": first if first < swept.grid.problem.steps else None,
    }


def _span(axis: Axis) -> str:
    first, last, count = axis.values[0], axis.values[-1], len(axis.values)
    return f"{axis.name} {first:g}" + (f" … {last:g} ({count:,}, {axis.scale})" if count > 1 else "")


SUFFIXES = (".csv", ".parquet")


def check_table(option: str, path: Path) -> None:
    """Raise UsageError unless ``path``, which ``option`` gives, can be a table, here."""
    if path.suffix not in SUFFIXES:
        raise UsageError(f"{option} is {str(path)!r}; its name must end in one of {one_of(SUFFIXES)}")
    require_extra("sweep", "pyarrow")
    check_file(option, path)


def table(swept: Swept) -> "Table":
    """Axes, output, distance, outcome (its name) and first step (null where the policy never came to the target), a row a cell."""
    import pyarrow as pa

    places = np.unravel_index(np.arange(swept.grid.cells), swept.grid.shape)
    columns = {axis.name: axis.values[place] for axis, place in zip(swept.grid.axes, places, strict=True)}
    outcome = pa.DictionaryArray.from_arrays(swept.outcome, list(Outcomes._fields)).cast(pa.string())
    first = pa.array(swept.first_step, mask=swept.first_step == swept.grid.problem.steps)
    return pa.table(columns | {"output": swept.output, "distance": swept.distance, "outcome": outcome, "first_step": first})


def write_table(swept: Swept, path: Path, suffix: str) -> None:
    """Write the table in the form that a name's ending stands for."""
    if suffix == ".csv":
        from pyarrow import csv

        csv.write_csv(table(swept), path, csv.WriteOptions(quoting_style="none"))
    else:
        from pyarrow import parquet

        parquet.write_table(table(swept), path)
