"""Trajectories and outcome maps as evidence: ``<label>-<device>-trajectories.json``.

Outputs are stored as they came; distances are made when they are read. Imports no torch.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct

from bench.evidence import untrusted
from bench.evidence.schema import Count, Device, Fingerprint, Label, Outcome, Text, Word

SUFFIX = "-trajectories.json"

MOST = 200_000
"""Most outputs of a file: some ten times what a run records. All of them stand in the page."""

Output = Annotated[float, Meta(ge=0, le=1)]
Rate = Annotated[float, Meta(gt=0, le=1e6)]
Logit = Annotated[float, Meta(ge=-1e6, le=1e6)]


class Course(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A few policies of one problem, whose other constants are the listing's, trained by the oracle and by every variant that can.

    Attributes:
        seeds: what each policy begins by, as ``Population.initialise`` has it.
        ambiguous: whether the course of each hangs on a rounding error.
        oracle: output of each policy before every update and after the last one, [policies][steps + 1].
        variants: likewise, by variant.
        absent: why a variant has none.
    """

    objective: Word
    arithmetic: Word
    steps: Annotated[int, Meta(ge=1, le=10_000)]
    seeds: Annotated[list[Count], Meta(min_length=1, max_length=100)]
    ambiguous: list[bool]
    oracle: list[list[Output]]
    variants: Annotated[dict[Word, list[list[Output]]], Meta(max_length=100)]
    absent: Annotated[dict[Word, Text], Meta(max_length=100)]

    def __post_init__(self) -> None:
        """Refuse outputs that are not as many as the policies and steps ask for."""
        policies = len(self.seeds)
        if len(self.ambiguous) != policies:
            raise ValueError(f"ambiguous has {len(self.ambiguous)} values; it must have one per policy: {policies}")
        for name, outputs in {"oracle": self.oracle, **self.variants}.items():
            _check_shape(name, outputs, policies, self.steps + 1)

    @property
    def name(self) -> str:
        """Objective and arithmetic."""
        return f"{self.objective}, {self.arithmetic} arithmetic"


class OutcomeMap(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where policies end, by where they begin and by their learning rate; trained by one variant.

    Attributes:
        logits: z at the start, a column each.
        rates: learning rate, a row each.
        outputs: after the last update, [rates][logits].
        outcomes: what each of these comes to, [rates][logits].
    """

    objective: Word
    variant: Word
    steps: Annotated[int, Meta(ge=1, le=10_000)]
    logits: Annotated[list[Logit], Meta(min_length=1, max_length=200)]
    rates: Annotated[list[Rate], Meta(min_length=1, max_length=200)]
    outputs: list[list[Output]]
    outcomes: list[list[Outcome]]

    def __post_init__(self) -> None:
        """Refuse a map that is not whole."""
        for name, values in (("outputs", self.outputs), ("outcomes", self.outcomes)):
            _check_shape(name, values, len(self.rates), len(self.logits))


class Trajectories(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file."""

    schema: Literal[1]
    label: Label
    device: Device
    fingerprint: Fingerprint
    courses: Annotated[list[Course], Meta(max_length=50)]
    maps: Annotated[list[OutcomeMap], Meta(max_length=50)]

    def __post_init__(self) -> None:
        """Refuse a file that would make a page of any size."""
        outputs = sum(len(course.seeds) * (course.steps + 1) * (len(course.variants) + 1) for course in self.courses)
        outputs += sum(len(one.rates) * len(one.logits) for one in self.maps)
        if outputs > MOST:
            raise ValueError(f"{outputs:,} outputs; it must be at most {MOST:,}")

    @property
    def name(self) -> str:
        """Label and device, as evidence files of the suites are named."""
        return f"{self.label}, {self.device}"


def files(results: Path) -> list[Path]:
    """The files of a folder."""
    return sorted(results.glob(f"*{SUFFIX}"))


def read_all(results: Path) -> list[Trajectories]:
    """The files of a folder, which may be a stranger's.

    Raises:
        UsageError: one cannot be read, is not of this schema, or all are too large together, naming the file and the field.
    """
    paths = files(results)
    untrusted.check_total(paths)
    return [untrusted.decoded(path, Trajectories) for path in paths]


def _check_shape(name: str, table: Sequence[Sequence[object]], rows: int, columns: int) -> None:
    found = {len(row) for row in table}
    if len(table) != rows or found != {columns}:
        raise ValueError(f"{name} has {len(table)} rows of {sorted(found)} values; it must have {rows} of {columns}")
