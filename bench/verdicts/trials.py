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


AGAIN = 7
"""How often a set of 16 processes has the A/A test of every row."""

PLANTED = (0.01, 0.02, 0.05, 0.10)
"""The slowdowns that a set has every row with, once each."""


class Trial(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A row of 16 processes: HEAD is BASE, held up by ``planted`` of its time.

    Trials of one ``group`` are decided together, as the rows of a run are. ``paired`` are logarithms of ratios, one a process; ``base``
    and ``head`` logarithms of median seconds, of the processes in which that side was alone, empty where the row was not timed alone.
    Trials of one ``set_number`` were timed in the same 16 processes: those of one row are not independent. In files from before that was
    recorded, a set has ``AGAIN`` groups and one for each of ``PLANTED``.
    """

    group: Annotated[int, Meta(ge=0)]
    row: Word
    planted: Annotated[float, Meta(ge=0, le=1)]
    paired: Annotated[list[Logarithm], Meta(min_length=16, max_length=16)]
    base: Logarithms
    head: Logarithms
    set_number: Annotated[int, Meta(ge=0)] | None = None

    @property
    def cluster(self) -> tuple[int, str]:
        """The set of processes and the row: what the trials of one have in common may move all of them together."""
        return self.group // (AGAIN + len(PLANTED)) if self.set_number is None else self.set_number, self.row

    @property
    def checked(self) -> bool:
        """Whether the row was timed alone, so that processes apart may turn SAME into UNCLEAR."""
        return min(len(self.base), len(self.head)) > 1


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
