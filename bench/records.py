"""Reading evidence files: what a row is, and what is wrong with a file that is none. Imports no torch."""

import json
import math
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from targetrl_core.errors import UsageError

SCHEMA = 1
"""Version of the ``targetrl`` part of an evidence file."""


class Interval(NamedTuple):
    """A median and the order statistics that hold it in 95 of 100 samples."""

    low: float
    median: float
    high: float


@dataclass(frozen=True)
class Row:
    """One timed row; ``seconds`` holds every round as measured."""

    variant: str
    objective: str
    arithmetic: str
    policies: int
    steps: int
    identity: str
    max_ulp: float
    ambiguous: int
    prepare_seconds: float
    seconds: tuple[float, ...]

    @property
    def speed(self) -> Interval:
        """Policy-steps per second."""
        time = median_interval(self.seconds)
        work = self.policies * self.steps
        return Interval(work / time.high, work / time.median, work / time.low)


class Absent(NamedTuple):
    """A row that has no number: withheld or not measured, and why."""

    name: str
    kind: str
    reason: str


@dataclass(frozen=True)
class Evidence:
    """One evidence file."""

    label: str
    device: str
    fingerprint: dict[str, Any]
    rows: tuple[Row, ...]
    absent: tuple[Absent, ...]


def median_interval(values: tuple[float, ...]) -> Interval:
    """Median and its distribution-free 95 % interval: the order statistics that a binomial count of ½ allows."""
    ordered = sorted(values)
    n = len(ordered)
    tail, k = 0.0, 0
    while k < n // 2 and tail + math.comb(n, k) / 2**n <= 0.025:  # noqa: PLR2004 — half of 5 %
        tail += math.comb(n, k) / 2**n
        k += 1
    k = max(k - 1, 0)
    return Interval(ordered[k], statistics.median(ordered), ordered[n - 1 - k])


def read(path: Path) -> Evidence:
    """Read one evidence file.

    Raises:
        UsageError: it cannot be read or is not of this schema, naming the file and the field.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        part = content["targetrl"]
        if part["schema"] != SCHEMA:
            raise UsageError(f"{path.name}: targetrl.schema is {part['schema']!r}; this version reads {SCHEMA}")
        rows = tuple(_row(row) for row in content["benchmarks"])
        absent = tuple(Absent(str(row["name"]), str(row["kind"]), str(row["reason"])) for row in part["absent"])
        return Evidence(str(part["label"]), str(part["device"]), dict(part["fingerprint"]), rows, absent)
    except OSError as error:
        raise UsageError(f"{path.name}: {error.strerror}") from error
    except json.JSONDecodeError as error:
        raise UsageError(f"{path.name}: not JSON: {error}") from error
    except KeyError as error:
        raise UsageError(f"{path.name}: field {error} is missing") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise UsageError(f"{path.name}: {error}") from error


def _row(row: dict[str, Any]) -> Row:
    info = row["extra_info"]
    seconds = tuple(float(value) for value in row["stats"]["data"])
    if not seconds or not all(math.isfinite(value) and value > 0 for value in seconds):
        raise ValueError(f"stats.data of {row['name']} must be positive numbers")
    return Row(
        variant=str(info["variant"]),
        objective=str(info["objective"]),
        arithmetic=str(info["arithmetic"]),
        policies=int(info["policies"]),
        steps=int(info["steps"]),
        identity=str(info["identity"]),
        max_ulp=max(float(value) for value in info["ulp"].values()),
        ambiguous=int(info["ambiguous"]),
        prepare_seconds=float(info["prepare_seconds"]),
        seconds=seconds,
    )
