"""What a process of ``ab`` is asked, and what it says. Imports no torch."""

from msgspec import Struct

from bench.evidence.schema import AbsenceKind, Limits
from bench.timing.cases import SuiteRow
from bench.verdicts.sides import SideName


class RowTask(Struct, frozen=True, kw_only=True):
    """A row, the file of its rounds, by which share of its time HEAD is held up on purpose, and whether its first side is timed alone."""

    name: str
    row: SuiteRow
    rounds: str
    planted: float = 0.0
    alone: bool = True


class ProcessTask(Struct, frozen=True, kw_only=True):
    """What one process does: ``first`` is the side that is alone at first; ``paired`` is False where both cannot be in one process.

    ``probed`` asks for the examination by populations that no one has seen, once for every side. ``limits`` are what the device can do at
    most, where that is known.
    """

    folders: dict[SideName, str]
    first: SideName
    rows: list[RowTask]
    device: str
    result: str
    paired: bool = True
    probed: bool = False
    limits: Limits | None = None


class Missing(Struct, frozen=True, kw_only=True):
    """Why a row has no times."""

    kind: AbsenceKind
    reason: str


class RowTimes(Struct, kw_only=True):
    """Of one row and process: median seconds of a call of the side that was alone, and the logarithm of HEAD's time over BASE's.

    ``compared`` is of the faster half of each side's calls.
    """

    alone_seconds: float | None = None
    compared: float | None = None
    missing: Missing | None = None


class ProcessTimes(Struct, kw_only=True):
    """What a process says: of each row, and why its first side could not be imported, or the other one beside it."""

    first: SideName
    rows: dict[str, RowTimes]
    broken: str | None = None
    broken_beside: str | None = None
