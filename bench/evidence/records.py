"""Reading evidence files, and the statistics of their rows. Imports no torch."""

import math
import statistics
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import msgspec

from bench.evidence import student, untrusted
from bench.evidence.kinds import kind_of
from bench.evidence.schema import SCHEMA, Benchmark, Cell, Evidence, Facts, Version
from targetrl_core.errors import UsageError

WIDEST, PROBLEMS = 100_000, 500
"""Most cells of a table that a file can ask for, its variants times its N or its problems, and most problems, which have tables each.

Without these, a file of some thousand rows could ask for millions.
"""

CONFIDENCE = 0.95

LEAST_ORDERED = 6
"""Fewest values whose order statistics hold a 95 % interval: 1 − 2 / 2⁶ is 97 %."""


class Interval(NamedTuple):
    """A value and the ends of its 95 % interval."""

    low: float
    value: float
    high: float


LARGEST = 700.0
"""Largest exponent that a float can take: the ends of an interval that a stranger made up may be further apart."""


def read(path: Path) -> Evidence:
    """Read one evidence file, which may be a stranger's.

    Raises:
        UsageError: it cannot be read, is too large, or is not of this schema, naming the file and the field.
    """
    text = untrusted.content(path)
    with untrusted.refused(path):
        part = msgspec.json.decode(text, type=Version).targetrl
        if part is msgspec.UNSET:
            raise ValueError("targetrl is missing: this is no evidence file of a suite, which is called <label>-<device>.json")
        version = part.schema
        evidence = msgspec.json.decode(text, type=Evidence) if version == SCHEMA else None
        untrusted.check_keys(text)
        if evidence is not None:
            _check_cells(evidence)
            return evidence
    raise UsageError(f"{untrusted.plain(path.name)}: targetrl.schema is {version}; this version reads {SCHEMA}")


def read_all(paths: list[Path]) -> list[Evidence]:
    """Read some evidence files together.

    Raises:
        UsageError: one cannot be read, or all of them are too large together.
    """
    untrusted.check_total(paths)
    return [read(path) for path in paths]


def _check_cells(evidence: Evidence) -> None:
    """Raise ValueError where two rows have one place, or where tables would have to be much larger than the file."""
    seen: dict[Cell, int] = {}
    for index, row in enumerate(evidence.benchmarks):
        first = seen.setdefault(cell_of(row), index)
        if first != index:
            raise ValueError(f"the cell of benchmarks[{first}] is there again - at `$.benchmarks[{index}].extra_info`")
    cells = [*seen, *(absence.cell for absence in evidence.targetrl.absent if absence.cell is not None)]
    variants, problems = len({cell.variant for cell in cells}), len({kind_of(cell).problem for cell in cells})
    widest = variants * max(problems, len({cell.policies for cell in cells}))
    if widest > WIDEST or problems > PROBLEMS:
        most = f"at most {WIDEST:,} and {PROBLEMS:,}"
        raise ValueError(f"a table of {widest:,} cells, of {problems:,} problems; it must be {most} - at `$.benchmarks`")


def cell_of(row: Benchmark) -> Cell:
    """The cell that a row stands in."""
    return Cell(**{name: getattr(row.extra_info, name) for name in Cell.__struct_fields__})


def files(results: Path) -> list[Path]:
    """The evidence files of a folder, in order: ``<label>-<device>.json``."""
    return sorted(path for path in results.glob("*.json") if path.stem.rpartition("-")[2] in ("cpu", "cuda", "mps"))


def median_interval(values: Iterable[float]) -> Interval:
    """Median and its distribution-free 95 % interval: the order statistics that a binomial count of ½ allows.

    Fewer than six values hold no such pair: of five the smallest and the largest have the median between them in 94 of 100 samples, of
    two in 50. Theirs is Student's interval of the mean logarithm, which always holds their median. One value has no interval.
    """
    ordered = sorted(values)
    n = len(ordered)
    if n < LEAST_ORDERED:
        return _student_interval(ordered)
    k = _rank(n)
    return Interval(ordered[k], statistics.median(ordered), ordered[n - 1 - k])


@lru_cache
def _rank(n: int) -> int:
    """The order statistic, from below, that the interval of n values begins at. By logarithms, as there may be 100,000 values."""
    tail, k, whole = 0.0, 0, math.lgamma(n + 1) - n * math.log(2)
    while tail <= (1 - CONFIDENCE) / 2:
        tail += math.exp(whole - math.lgamma(k + 1) - math.lgamma(n - k + 1))
        k += 1
    return k - 2


def _student_interval(values: list[float]) -> Interval:
    median = statistics.median(values)
    if len(values) == 1:
        return Interval(median, median, median)
    logs = [math.log(value) for value in values]
    half = student.quantile(len(logs) - 1, CONFIDENCE) * statistics.stdev(logs) / math.sqrt(len(logs))
    mean = statistics.fmean(logs)
    # Where all values are one, rounding is not to put it outside.
    return Interval(min(math.exp(mean - half), median), median, max(math.exp(mean + half), median))


def quotient(over: Interval, under: Interval) -> Interval:
    """One over another of two that know nothing of each other: as logarithms, their ends add in squares."""
    value = over.value / under.value
    down = math.hypot(math.log(over.value / over.low), math.log(under.high / under.value))
    up = math.hypot(math.log(over.high / over.value), math.log(under.value / under.low))
    return Interval(math.exp(max(math.log(value) - down, -LARGEST)), value, math.exp(min(math.log(value) + up, LARGEST)))


def work(facts: Cell) -> int:
    """What one call does: policy-steps, or policies where none is trained."""
    return facts.policies * max(facts.steps, 1)


def peak_memory(facts: Facts) -> int | None:
    """Bytes by which memory grew at most in one call, the median over a cold start's processes; None where it was not looked at."""
    if facts.processes:
        return int(statistics.median(process.peak_memory_bytes for process in facts.processes))
    return facts.peak_memory_bytes


def max_ulp(facts: Facts) -> float:
    """Largest distance from the oracle of any state tensor, in ulp."""
    return max(facts.ulp.values(), default=0.0)
