"""One evidence file as the tables see it: rows by cell, intervals, marks, and reasons for what has no number."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from math import log

from msgspec import structs

from bench.evidence import records
from bench.evidence.records import Interval, Spread, cell_of
from bench.evidence.schema import Absence, Benchmark, Cell, Environment, Evidence, Question

BUSY, STOLEN, LOADED, DRIFT = 0.10, 0.05, 0.5, 0.10
"""Shares of the cores, load per core, and change of one row within a run, above which figures are weak."""

IDLE_REASONS = 0x3
"""NVML's bits for a clock that is low because the GPU is idle, or set so by its owner: no reason to doubt."""

MARKS = records.MARKS | {"w": "weak: the machine was disturbed"}


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
        """How much medians differ from process to process."""
        return records.process_spread(self.evidence.benchmarks)

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
        """Policy-steps per second."""
        return records.speed(row, self.spread)

    def seconds(self, row: Benchmark) -> Interval:
        """Seconds of a call."""
        return records.seconds_interval(row, self.spread)

    def marks(self, row: Benchmark) -> str:
        """Letters of ``MARKS``."""
        return records.marks(row) + ("w" if self.disturbances else "")

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
        if self.again and abs(log(self.again.value)) > DRIFT and not self.again.low <= 1.0 <= self.again.high:
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
