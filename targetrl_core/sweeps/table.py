"""What became of a grid as a table: a row a cell, as CSV or Parquet."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from targetrl_core.errors import UsageError, one_of, require_extra
from targetrl_core.files import check_file
from targetrl_core.listing.outcomes import Outcomes
from targetrl_core.sweeps.run import Swept

if TYPE_CHECKING:
    from pyarrow import Table

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
