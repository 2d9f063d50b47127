"""The kind of a cell: what is trained, and by which variant. Rows are compared, grouped and joined to curves by it. Imports no torch."""

from typing import NamedTuple

from bench.evidence.schema import Cell, Work


class Kind(NamedTuple):
    """What rows have in common that differ in their question or their number of policies alone.

    ``variant`` is None where it does not matter which one trains.
    """

    variant: str | None
    objective: str | None
    optimizer: str | None
    arithmetic: str | None
    steps: int

    @property
    def problem(self) -> "Kind":
        """The same, whatever the variant."""
        return self._replace(variant=None)

    @property
    def step(self) -> "Kind":
        """One step of the problem: what its operations depend on."""
        return self._replace(variant=None, steps=1)

    @property
    def words(self) -> str:
        """The problem as titles have it, as a file spells it; Adam goes without saying."""
        optimizer = "" if self.optimizer in (None, "adam") else f", {self.optimizer}"
        return f"{self.objective}, {self.arithmetic} arithmetic{optimizer}, {self.steps} steps"


def kind_of(cell: Cell | Work) -> Kind:
    """The kind of a cell, or the step whose operations were counted."""
    if isinstance(cell, Work):
        return Kind(None, cell.objective, cell.optimizer, cell.arithmetic, 1)
    return Kind(cell.variant, cell.objective, cell.optimizer, cell.arithmetic, cell.steps)
