"""What the self-test measured, as evidence: ``<label>-<device>-verdicts.json``, and beside a load ``…-load-verdicts.json``.

Everything that the rule decides by is kept, so that anyone can decide anew, by this rule or another. Imports no torch.
"""

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct

from bench.evidence import untrusted
from bench.evidence.schema import Device, Fingerprint, Label, Word

SUFFIX = "-verdicts.json"

Logarithm = Annotated[float, Meta(ge=-50, le=50)]
Logarithms = Annotated[list[Logarithm], Meta(max_length=1000)]


class Trial(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A row of 16 processes: HEAD is BASE, held up by ``planted`` of its time.

    Trials of one ``group`` are decided together, as the rows of a run are. ``paired`` are logarithms of ratios, one a process; ``base``
    and ``head`` logarithms of median seconds, of the processes in which that side was alone, empty where the row was not timed alone.
    """

    group: Annotated[int, Meta(ge=0)]
    row: Word
    planted: Annotated[float, Meta(ge=0, le=1)]
    paired: Annotated[list[Logarithm], Meta(min_length=16, max_length=16)]
    base: Logarithms
    head: Logarithms


class Trials(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file."""

    schema: Literal[1]
    label: Label
    device: Device
    beside_load: bool
    fingerprint: Fingerprint
    trials: Annotated[list[Trial], Meta(max_length=100_000)]


def read(path: Path) -> Trials:
    """Read a file.

    Raises:
        UsageError: it cannot be read, is too large, or is not of this schema, naming the file and the field.
    """
    return untrusted.decoded(path, Trials)


def files(results: Path) -> list[Path]:
    """The files of a folder."""
    return sorted(results.glob(f"*{SUFFIX}"))
