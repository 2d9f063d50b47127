"""One evidence file as the tables see it: rows by cell, intervals, marks, and reasons for what has no number."""

import math
import statistics
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from msgspec import structs

from bench.evidence import records, student
from bench.evidence.kinds import Kind, kind_of
from bench.evidence.records import CONFIDENCE, Interval, cell_of
from bench.evidence.schema import Absence, Benchmark, Cell, Environment, Evidence, Question

BUSY, STOLEN, LOADED, DRIFT = 0.10, 0.05, 0.5, 0.10
"""Shares of the cores, load per core, and change of one row within a run, above which figures are weak."""

IDLE_REASONS = 0x3
"""NVML's bits for a clock that is low because the GPU is idle, or set so by its owner: no reason to doubt."""

FEW_ROUNDS, NOISY, SHORT_SECONDS = 5, 0.10, 1e-3
MARKS = {
    "r": "fewer than five rounds",
    "n": "noisy: the middle half of the rounds spans over 10 % of the median",
    "s": "short: a call takes less than 1 ms",
    "w": "weak: the machine was disturbed",
}
"""Why a row is weak, a letter a reason."""


class Spread(NamedTuple):
    """How much a row's median differs from process to process: standard deviation of its logarithm, and degrees of freedom."""

    deviation: float
    freedom: int


@dataclass(frozen=True)
class Machine:
    """The rows of one device of one machine."""

    evidence: Evidence

    @property
    def name(self) -> str:
        """Label and device."""
        return f"{self.evidence.targetrl.label}, {self.evidence.targetrl.device}"

    @cached_property
    def spread(self) -> Spread | None:
        """How much medians differ between fresh processes, pooled over the cold starts; None where there are none.

        A variant's processes are one group, whether their cache was empty or warm: once started, they run the same code.
        """
        groups: dict[tuple[Kind, int], list[float]] = defaultdict(list)
        for row in self.evidence.benchmarks:
            for process in row.extra_info.processes:
                groups[kind_of(row.extra_info), row.extra_info.policies].append(math.log(statistics.median(process.steady_seconds)))
        freedom = sum(len(logs) - 1 for logs in groups.values())
        squares = sum(statistics.variance(logs) * (len(logs) - 1) for logs in groups.values() if len(logs) > 1)
        return Spread(math.sqrt(squares / freedom), freedom) if freedom else None

    @cached_property
    def rows(self) -> dict[Cell, Benchmark]:
        """The rows that have a number, by cell."""
        return {cell_of(row): row for row in self.evidence.benchmarks}

    @cached_property
    def absent(self) -> dict[Cell, Absence]:
        """The rows that have none, by cell."""
        return {absence.cell: absence for absence in self.evidence.targetrl.absent if absence.cell is not None}

    def cells(self, question: Question) -> list[Cell]:
        """The cells of a question, with and without numbers, in the order of the run as far as they have one."""
        return [cell for cell in dict.fromkeys((*self.rows, *self.absent)) if cell.question == question]

    def measured(self, question: Question) -> list[Benchmark]:
        """The rows of a question."""
        return [row for row in self.evidence.benchmarks if row.extra_info.question == question]

    def speed(self, row: Benchmark) -> Interval:
        """Policy-steps per second (policies per second where none is trained), with its interval."""
        amount, (low, median, high) = records.work(row.extra_info), self.seconds(row)
        return Interval(amount / high, amount / median, amount / low)

    def seconds(self, row: Benchmark) -> Interval:
        """Median seconds of a call, and an interval that covers rounds and processes.

        The rounds of one process say nothing about the next process. So the order statistics of the rounds and the spread between
        processes, times Student's t, are added in squares, as logarithms. The rounds of a cold start are processes.
        """
        low, median, high = records.median_interval(row.stats.data)
        if row.extra_info.question == "cold start":
            return Interval(low, median, high)
        between = student.quantile(self.spread.freedom, CONFIDENCE) * self.spread.deviation if self.spread else 0.0
        down, up = math.hypot(math.log(median / low), between), math.hypot(math.log(high / median), between)
        return Interval(median * math.exp(-down), median, median * math.exp(up))

    def marks(self, row: Benchmark) -> str:
        """Letters of ``MARKS``."""
        data, median = row.stats.data, statistics.median(row.stats.data)
        few = len(data) < FEW_ROUNDS
        low, _, high = (median,) * 3 if few else statistics.quantiles(data, n=4)
        holds = {"r": few, "n": (high - low) / median > NOISY, "s": median < SHORT_SECONDS, "w": bool(self.disturbances)}
        return "".join(letter for letter in MARKS if holds[letter])

    @cached_property
    def again(self) -> Interval | None:
        """Time of the row that stands in the run twice, the second time over the first, by the rounds alone."""
        for row in self.measured("again"):
            cell = structs.replace(cell_of(row), question="steady state")
            if cell in self.rows:
                return records.quotient(*(records.median_interval(timed.stats.data) for timed in (self.rows[cell], row)))
        return None

    @cached_property
    def disturbances(self) -> list[str]:
        """Why all figures of the run are weak."""
        reasons = disturbances(self.evidence.targetrl.environment)
        if self.again and abs(math.log(self.again.value)) > DRIFT and not self.again.low <= 1.0 <= self.again.high:
            reasons.append(f"one row took {self.again.value:.2f} × as long the second time")
        return reasons

    @property
    def doubts(self) -> list[str]:
        """Why the figures are not to be trusted as they are."""
        return [f"the clock failed its test: {failure}" for failure in self.evidence.targetrl.clock.failures] + self.disturbances

    @property
    def nameless(self) -> list[str]:
        """Rows that failed before it was known what they are about: they stand in no table."""
        absent = self.evidence.targetrl.absent
        return [f"{absence.kind}: {absence.name}: {absence.reason}" for absence in absent if absence.cell is None]


def meanings(letters: Iterable[str]) -> dict[str, str]:
    """What some letters of marks mean."""
    used = set("".join(letters))
    return {letter: text for letter, text in MARKS.items() if letter in used}


def disturbances(environment: Environment) -> list[str]:
    """What disturbed a run, by its environment."""
    e = environment
    known: Iterable[tuple[bool, str]] = (
        ((e.busy_elsewhere or 0) > BUSY, f"other processes took {e.busy_elsewhere or 0:.0%} of the cores"),
        ((e.stolen or 0) > STOLEN, f"the hypervisor gave {e.stolen or 0:.0%} of the cores to others"),
        ((e.load_before or 0) > LOADED, f"the load was {e.load_before} per core when the run began"),
        (e.governor == "powersave" and e.turbo is False, "the governor is powersave"),
        (bool(e.throttled), f"the cores were throttled {e.throttled} times"),
        (bool(e.on_battery), "the machine ran on its battery"),
        (bool(e.gpu_processes), f"{e.gpu_processes} other processes were on the GPU"),
        (bool((e.gpu_throttled or 0) & ~IDLE_REASONS), f"the GPU's clock was held down (NVML reasons {e.gpu_throttled or 0:#x})"),
    )
    return [text for holds, text in known if holds]
