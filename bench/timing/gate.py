"""The gate: no identity, no number. It times a variant, and withholds the row unless every timed run converged identically."""

import math
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import msgspec
import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from torch.profiler import ProfilerActivity, profile

from bench.evidence.schema import Cell, ClockTest, Facts, Phases, Question
from bench.limit.ceiling import Ceiling
from bench.timing.clock import Clock
from bench.timing.guards import NotIdenticalError, even, raise_unless_empty, unchanged
from bench.timing.memory import row_growth, why_too_large
from bench.timing.once import Once
from bench.timing.rounds import Rounds, TimedRounds, cell_of, fresh_policies
from targetrl_core import Population, Problem, Variant
from targetrl_core.certification import certify
from targetrl_core.convergence import Identity, check
from targetrl_core.devices import synchronized_clock
from targetrl_core.examination import changed_fields, recording_faults, training_faults
from targetrl_core.modes import new_modes
from targetrl_core.variants import Train
from targetrl_core.variants.compiling import compile_seconds

LEAST_ROUNDS, MOST_ROUNDS = 3, 100

LAUNCHES = ("cudaLaunchKernel", "cudaLaunchKernelExC", "cuLaunchKernel", "cuLaunchKernelEx", "cudaGraphLaunch", "cuGraphLaunch")
"""Calls of the CUDA runtime and driver that launch a kernel, or a graph of them at once."""


@dataclass(frozen=True)
class Gate:
    """What a row is timed through: pytest-benchmark's fixture, the device, what the session has found out, and the state of its clock.

    ``seconds`` is about how long a row is timed; ``clock`` tests a clock on the device once a session; within ``limit()`` a row runs, so
    that one that hangs is ended. ``ceiling`` knows what the device can do at most.
    """

    benchmark: BenchmarkFixture
    device: torch.device
    once: Once
    clock: Callable[[torch.device, Clock], ClockTest]
    seconds: float
    limit: Callable[[], AbstractContextManager[None]] = nullcontext
    ceiling: Ceiling = field(default_factory=Ceiling)

    def train(self, question: Question, variant: Variant, problem: Problem, n: int) -> None:
        """Time ``variant`` on populations that nobody has seen, from a fresh one on the device to the trained one there.

        Skips the test where the variant cannot run; fails it, and leaves no row, where a run is not identical.
        """
        cannot = variant.unsupported(problem, self.device, n) or why_too_large(n, self.device)
        with self.row(cell_of(question, variant.name, problem, n), cannot) as row:
            handed = problem.replace()
            compiling, begun = compile_seconds(), synchronized_clock()
            train = variant.prepare(handed, self.device, n)
            prepare_seconds, compiling = synchronized_clock() - begun, compile_seconds() - compiling
            count = min(max(math.ceil(self.seconds / max(self._warmed(problem, n, train), 1e-6)), LEAST_ROUNDS), MOST_ROUNDS)
            raise_unless_empty(tuple(training_faults(problem, train, self.device, n)))
            raise_unless_empty(self.once.variant_faults(problem, variant, self.device))
            identity = self._rounds(TimedRounds(Rounds.of(problem, n, count), train, self.device), variant, count)
            raise_unless_empty(changed_fields(problem, handed))
            start = fresh_policies(problem, n).to(self.device)
            row.update(
                facts_of(identity),
                prepare_seconds=prepare_seconds,
                compile_seconds=compiling,
                launches_per_step=launches_per_step(train, start, problem.steps),
                peak_memory_bytes=row_growth(partial(train, start, None), self.device, n),
                steps_to_target=self.once.steps_to_target(problem),
            )

    @contextmanager
    def row(self, cell: Cell, unsupported: str | None = None) -> Iterator[dict[str, Any]]:
        """A row of the results: what is put into the dictionary is saved with it, if nothing goes wrong.

        Whatever goes wrong takes the row back: pytest-benchmark would show the rounds timed so far.
        """
        self.benchmark.extra_info.update(msgspec.to_builtins(cell))
        self.benchmark.group = _group(cell)
        if unsupported is not None:
            pytest.skip(f"not measured: {unsupported}")
        measured: dict[str, Any] = {}
        try:
            self._require_clock()
            with new_modes(), self.limit(), even(self._timer) if self.benchmark.enabled else nullcontext(), unchanged():
                yield measured
            self._require_possible(cell, measured.get("processes", ()))
            facts = Facts(**msgspec.structs.asdict(cell), **({"threads": torch.get_num_threads()} | measured))
        except BaseException as error:
            withdraw(self.benchmark)
            traceback.clear_frames(error.__traceback__)  # pytest keeps the error, and with it what its frames hold: later rows need it
            if isinstance(error, NotIdenticalError):
                pytest.fail(f"withheld: {error}", pytrace=False)
            raise
        self.benchmark.extra_info.update(msgspec.to_builtins(facts))

    def _require_clock(self) -> None:
        if self.benchmark.enabled:
            failures = self.clock(self.device, self._timer).failures
            if failures:
                raise NotIdenticalError(f"the clock failed its test: {'; '.join(failures)}")

    def _require_possible(self, cell: Cell, processes: Iterable[Phases]) -> None:
        """Withhold a row whose fastest call is faster than any variant can be on the device; calls in fresh processes count too."""
        if self.benchmark.enabled:
            calls = [seconds for phases in processes for seconds in (phases.second_call_seconds, *phases.steady_seconds)]
            rounds = self.benchmark.stats.stats.data if self.benchmark.stats else []
            raise_unless_empty(self.ceiling.reasons(cell, self.device, min([*rounds, *calls], default=math.inf)))

    @property
    def _timer(self) -> Clock:
        timer: Clock = self.benchmark._timer  # noqa: SLF001 — it has no public name
        return timer

    def _warmed(self, problem: Problem, n: int, train: Train) -> float:
        """Train a population and check some of it, before anything is timed; about how long a call takes, in seconds."""
        timed = TimedRounds(Rounds.of(problem, n, 1), train, self.device)
        arguments, _ = timed.setup()
        begun = synchronized_clock()
        timed.run(*arguments)
        seconds = synchronized_clock() - begun
        timed.check()
        return seconds

    def _rounds(self, timed: TimedRounds, variant: Variant, count: int) -> Identity:
        """Run the rounds, each checked after its clock stopped. One of them, which chance names, is checked whole: its identity."""
        with torch.compiler.set_stance("fail_on_recompile"):
            self.benchmark.pedantic(timed.run, setup=timed.setup, teardown=timed.check, rounds=count)
        if timed.checked == 0:  # --benchmark-disable calls no teardown
            timed.check()
        timed.check_kept()
        start, trained = timed.chosen
        expectation = certify(timed.rounds.problem, start)
        identity = check(expectation, trained)
        raise_unless_empty(identity.reasons)
        start = start.to(self.device)
        raise_unless_empty(recording_faults(timed.rounds.problem, start, trained, expectation, variant, timed.train))
        return identity


def withdraw(benchmark: BenchmarkFixture) -> None:
    """Take a row back, whatever rounds it has had: it then stands in no table and no file."""
    benchmark.has_error = True
    if benchmark.stats is not None:
        benchmark.stats.stats.data.clear()


def _group(cell: Cell) -> str:
    """Rows that are compared with each other, in pytest-benchmark's own table."""
    return ", ".join(str(part) for part in (cell.question, cell.objective, cell.arithmetic, f"N = {cell.policies:,}") if part)


def facts_of(identity: Identity) -> dict[str, Any]:
    """What a row says of the identity."""
    return {
        "identity": identity.level,
        "ulp": {name: round(value, 3) for name, value in identity.ulp.items()},
        "ambiguous": identity.ambiguous,
        "outcomes": identity.outcomes._asdict(),
    }


def launches_per_step(train: Train, population: Population, steps: int) -> float | None:
    """Launches of one run on CUDA, divided by its steps; None on devices whose launches are not counted."""
    if population.device.type != "cuda":
        return None
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as profiler:
        train(population.clone(), None)
        synchronized_clock()
    return sum(event.name in LAUNCHES for event in profiler.events()) / steps
