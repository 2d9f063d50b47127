"""Reading evidence files, and the statistics of their rows. Imports no torch."""

import math
import statistics
from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import msgspec

from bench.evidence import student, untrusted
from bench.evidence.kinds import Kind, kind_of
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


class Spread(NamedTuple):
    """How much a row's median differs from process to process: standard deviation of its logarithm, and degrees of freedom."""

    deviation: float
    freedom: int


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


def process_spread(rows: Iterable[Benchmark]) -> Spread | None:
    """How much medians differ between fresh processes, pooled over the cold starts of a file; None where there are none.

    A variant's processes are one group, whether their cache was empty or warm: once started, they run the same code.
    """
    groups: dict[tuple[Kind, int], list[float]] = defaultdict(list)
    for row in rows:
        facts = row.extra_info
        for process in facts.processes:
            if process.steady_seconds:
                groups[kind_of(facts), facts.policies].append(math.log(statistics.median(process.steady_seconds)))
    squares, freedom = 0.0, 0
    for logs in groups.values():
        mean = statistics.fmean(logs)
        squares += sum((value - mean) ** 2 for value in logs)
        freedom += len(logs) - 1
    return Spread(math.sqrt(squares / freedom), freedom) if freedom else None


def seconds_interval(row: Benchmark, spread: Spread | None) -> Interval:
    """Median seconds of a call, and an interval that covers rounds and processes.

    The rounds of one process say nothing about the next process. So the order statistics of the rounds and the spread between
    processes, times Student's t, are added in squares, as logarithms. The rounds of a cold start are processes.
    """
    low, median, high = median_interval(row.stats.data)
    if row.extra_info.question == "cold start":
        return Interval(low, median, high)
    between = student.quantile(spread.freedom, CONFIDENCE) * spread.deviation if spread else 0.0
    return Interval(
        median * math.exp(-math.hypot(math.log(median / low), between)),
        median,
        median * math.exp(math.hypot(math.log(high / median), between)),
    )


def work(facts: Cell) -> int:
    """What one call does: policy-steps, or policies where none is trained."""
    return facts.policies * max(facts.steps, 1)


def speed(row: Benchmark, spread: Spread | None) -> Interval:
    """Policy-steps per second (policies per second where none is trained), with its interval."""
    low, median, high = seconds_interval(row, spread)
    amount = work(row.extra_info)
    return Interval(amount / high, amount / median, amount / low)


def peak_memory(facts: Facts) -> int | None:
    """Bytes by which memory grew at most in one call, the median over a cold start's processes; None where it was not looked at."""
    if facts.processes:
        return int(statistics.median(process.peak_memory_bytes for process in facts.processes))
    return facts.peak_memory_bytes


def max_ulp(facts: Facts) -> float:
    """Largest distance from the oracle of any state tensor, in ulp."""
    return max(facts.ulp.values(), default=0.0)


def marks(row: Benchmark) -> str:
    """Why a row is weak, a letter a reason: see ``MARKS``."""
    data = sorted(row.stats.data)
    median = statistics.median(data)
    letters = ""
    if len(data) < FEW_ROUNDS:
        letters += "r"
    else:
        quarters = statistics.quantiles(data, n=4)
        letters += "n" if (quarters[2] - quarters[0]) / median > NOISY else ""
    return letters + ("s" if median < SHORT_SECONDS else "")


FEW_ROUNDS = 5
NOISY = 0.10
SHORT_SECONDS = 1e-3
MARKS = {
    "r": "fewer than five rounds",
    "n": "noisy: the middle half of the rounds spans over 10 % of the median",
    "s": "short: a call takes less than 1 ms",
}
