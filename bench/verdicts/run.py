"""A run of processes, one after another, until every row is decided or the time is over."""

import math
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import torch

from bench.evidence.files import ROOT
from bench.evidence.reasons import last_words
from bench.evidence.schema import Limits
from bench.timing.cases import SuiteRow
from bench.timing.rounds import Rounds
from bench.verdicts import rule
from bench.verdicts.messages import Missing, ProcessTask, ProcessTimes, RowTask
from bench.verdicts.rule import Decision, Sample
from bench.verdicts.sides import SideName, Snapshot
from targetrl_core import Problem, UsageError

TIMEOUT_SECONDS = 300
ORDER: tuple[SideName, ...] = ("base", "head", "head", "base")
"""Which side is alone at first: mirrored, so that a drift does not favour one."""

MALLOC = {"MALLOC_MMAP_THRESHOLD_": str(2**32), "MALLOC_TRIM_THRESHOLD_": str(2**32)}
"""Let glibc keep what was freed. Otherwise large tensors are mapped anew at each call, and how long the system takes to clear their
pages differs more from call to call than versions do: a step of a million policies by a factor of two."""

PARTS = 256
"""Rounds of whose policies some are known, before any of them is drawn again."""


@dataclass
class Comparison:
    """What the processes have said so far; ``stopped`` tells why they ended early. Calls above ``limits`` are not believed."""

    tasks: Sequence[RowTask]
    base: Snapshot
    head: Snapshot
    device: str
    limits: Limits | None = None
    samples: dict[str, Sample] = field(init=False)
    missing: dict[str, Missing] = field(default_factory=dict)
    decided: dict[str, Decision] = field(default_factory=dict)
    processes: int = 0
    apart: str | None = None
    stopped: str | None = None

    def __post_init__(self) -> None:
        self.samples = {task.name: Sample() for task in self.tasks}

    @property
    def open(self) -> list[RowTask]:
        """The rows that are not decided yet."""
        return [task for task in self.tasks if task.name not in self.decided and task.name not in self.missing]

    def decide(self, budget: float, tell: Callable[["Comparison"], None], *, early: bool = True) -> None:
        """Run processes until every row is decided, ``budget`` seconds are over, or it is interrupted.

        Args:
            budget: seconds; a process that would not be done by then is not begun.
            tell: called after each process.
            early: whether rows may be decided at the first look; without it all that is measured is kept.

        Raises:
            UsageError: a version cannot be imported.
        """
        begun, longest = time.monotonic(), 0.0
        mirrored = random.SystemRandom().random() < 0.5  # noqa: PLR2004 — a coin
        try:
            while self.open and self.processes < rule.LAST:
                if time.monotonic() - begun + longest > budget:
                    self.stopped = "the budget was used up"
                    break
                since = time.monotonic()
                self._keep(self._process(ORDER[self.processes % 4 if not mirrored else (self.processes + 2) % 4]))
                longest = max(longest, time.monotonic() - since)
                tell(self)
                if early and self.apart is None and self.processes in rule.LOOKS:
                    self.decided |= rule.look(self._open_samples(), self.processes)
        except KeyboardInterrupt:
            self.stopped = "interrupted"
        self._conclude()

    def _open_samples(self) -> dict[str, Sample]:
        return {task.name: self.samples[task.name] for task in self.open}

    def _conclude(self) -> None:
        if self.apart is not None and self.processes == rule.LAST:
            self.decided |= rule.look_apart(self._open_samples())
        self.decided |= {name: rule.undecided(sample, self.stopped or "not decided") for name, sample in self._open_samples().items()}

    def _process(self, first: SideName) -> ProcessTimes:
        with tempfile.TemporaryDirectory() as scratch:
            task = ProcessTask(
                folders={"base": str(self.base.folder), "head": str(self.head.folder)},
                first=first,
                rows=self.open,
                device=self.device,
                result=str(Path(scratch) / "times.json"),
                paired=self.apart is None,
                probed=self.processes == 0,
                limits=self.limits,
            )
            return run_process(task, Path(scratch))

    def _keep(self, times: ProcessTimes) -> None:
        if times.broken is not None:
            raise UsageError(f"{times.first.upper()} does not run: {times.broken}")
        self.apart = self.apart or times.broken_beside
        self.processes += 1
        for name, row in times.rows.items():
            sample = self.samples[name]
            if row.missing is not None:
                self.missing[name] = row.missing
                continue
            if row.alone_seconds is not None:
                (sample.base if times.first == "base" else sample.head).append(math.log(row.alone_seconds))
            if row.compared is not None:
                sample.paired.append(row.compared)


def run_process(task: ProcessTask, scratch: Path) -> ProcessTimes:
    """Run one process to its end; it is killed where that takes too long, or this process is interrupted.

    Raises:
        UsageError: it ended with an error, with the last line of what it said.
    """
    errors = scratch / "stderr"
    command = [sys.executable, "-W", "ignore", "-m", "bench.verdicts.process"]
    with errors.open("wb") as stderr:
        process = subprocess.Popen(  # noqa: S603 — this project's own module
            command, cwd=ROOT, env=os.environ | MALLOC, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=stderr
        )
        try:
            process.communicate(msgspec.json.encode(task), timeout=TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise UsageError(f"a process took over {TIMEOUT_SECONDS} s; select fewer rows") from error
        finally:
            process.kill()
            process.wait()
    if process.returncode:
        raise UsageError(f"a process ended with exit code {process.returncode}: {last_words(errors)}")
    return msgspec.json.decode(Path(task.result).read_bytes(), type=ProcessTimes)


def make_rounds(rows: Iterable[SuiteRow], folder: Path) -> dict[SuiteRow, str]:
    """Draw and certify policies for every problem and size, once for all processes; the file of each row's."""
    files: dict[tuple[str, str, int, int], str] = {}
    file_of = {}
    for row in rows:
        key = (row.objective, row.arithmetic, row.policies, row.steps)
        if key not in files:
            problem = Problem(objective=row.objective, arithmetic=row.arithmetic, steps=row.steps)  # type: ignore[arg-type] # names of the suite
            files[key] = str(folder / f"rounds-{len(files)}.pt")
            torch.save(Rounds.of(problem, row.policies, PARTS), files[key])
        file_of[row] = files[key]
    return file_of
