"""What the command line says of a sweep: for people, and for programs."""

from collections.abc import Iterator
from typing import Any

from targetrl_core.listing.outcomes import Outcomes
from targetrl_core.report import outcome_table, problem_fields
from targetrl_core.sweeps.axes import Axis
from targetrl_core.sweeps.run import Swept


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


def sweep_json(swept: Swept) -> dict[str, Any]:
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
