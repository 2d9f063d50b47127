"""The gate: no identity, no number. It times a variant, and withholds the row unless every timed run converged identically."""

import math
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from bench.evidence.schema import Cell, ClockTest, Facts, Question
from bench.timing.course import even
from bench.timing.launches import launches_per_step
from bench.timing.memory import row_growth, why_too_large
from bench.timing.pools import Pool, Pools, Slice
from bench.timing.selftest import Clock
from targetrl_core import Population, Problem, Variant
from targetrl_core.convergence import Identity, check, passes
from targetrl_core.devices import synchronized_clock
from targetrl_core.variants import Train
from targetrl_core.variants.compiling import compile_seconds
from targetrl_core.verification import changed_fields, probed, recorded

LEAST_ROUNDS, MOST_ROUNDS = 3, 100


class NotIdenticalError(Exception):
    """A run did not converge as the problem calls for; says how."""


@dataclass(frozen=True)
class Gate:
    """What a row is timed through: pytest-benchmark's fixture, the device, the session's pools and the state of its clock.

    ``seconds`` is about how long a row is timed; ``clock`` tests a clock on the device once a session; within ``limit()`` a row runs, so
    that one that hangs is ended.
    """

    benchmark: BenchmarkFixture
    device: torch.device
    pools: Pools
    clock: Callable[[torch.device, Clock], ClockTest]
    seconds: float
    limit: Callable[[], AbstractContextManager[None]] = nullcontext

    def train(self, question: Question, variant: Variant, problem: Problem, n: int) -> None:
        """Time ``variant`` on slices of a certified pool, from a fresh population on the device to the trained one there.

        Skips the test where the variant cannot run; fails it, and leaves no row, where a run is not identical.
        """
        cannot = variant.unsupported(problem, self.device, n) or why_too_large(n, self.device)
        with self.row(cell_of(question, variant, problem, n), cannot) as row:
            pool = self.pools.of(problem, n)
            handed = problem.replace()
            compiling, begun = compile_seconds(), synchronized_clock()
            train = variant.prepare(handed, self.device, n)
            prepare_seconds, compiling = synchronized_clock() - begun, compile_seconds() - compiling
            first, seconds = self._warmed(pool, train)
            raise_unless_empty(probed(problem, train, self.device, n))
            identity = self._rounds(problem, pool, variant, train, self._how_many(seconds))
            raise_unless_empty(changed_fields(problem, handed))
            row.update(
                facts_of(identity),
                prepare_seconds=prepare_seconds,
                compile_seconds=compiling,
                launches_per_step=launches_per_step(train, first.population.to(self.device), problem.steps),
                peak_memory_bytes=self._memory(train, pool),
                steps_to_target=self.pools.steps_to_target(problem),
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
        found: dict[str, Any] = {}
        try:
            self._require_clock()
            with self.limit(), self._even_course():
                yield found
            facts = Facts(**msgspec.structs.asdict(cell), **({"threads": torch.get_num_threads()} | found))
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

    def _even_course(self) -> AbstractContextManager[None]:
        return even(self._timer) if self.benchmark.enabled else nullcontext()

    @property
    def _timer(self) -> Clock:
        timer: Clock = self.benchmark._timer  # noqa: SLF001 — it has no public name
        return timer

    def _warmed(self, pool: Pool, train: Train) -> tuple[Slice, float]:
        """Train a slice and check it, before anything is timed; the slice, and about how long a call takes."""
        first = pool.draw()
        start = first.population.clone().to(self.device)
        begun = synchronized_clock()
        trained = train(start, None)
        seconds = synchronized_clock() - begun
        raise_unless_empty(check(first.expectation, trained).reasons)
        return first, seconds

    def _rounds(self, problem: Problem, pool: Pool, variant: Variant, train: Train, rounds: int) -> Identity:
        """Run the rounds, each from a slice drawn after ``prepare`` and checked after its clock stopped; the last one's identity."""
        drawn: list[Slice] = []
        results: list[Population] = []

        def setup() -> tuple[tuple[Population], dict[str, Any]]:
            drawn[:] = [pool.draw()]
            results.clear()
            return (drawn[0].population.clone().to(self.device),), {}

        def run(population: Population) -> None:
            results.append(train(population, None))

        def teardown(_population: Population) -> None:
            if not passes(drawn[0].expectation, results[0]):
                raise_unless_empty(check(drawn[0].expectation, results[0]).reasons)

        with torch.compiler.set_stance("fail_on_recompile"):
            self.benchmark.pedantic(run, setup=setup, teardown=teardown, rounds=rounds)
        # --benchmark-disable calls no teardown: what came back last is checked here, whatever the mode.
        identity = check(drawn[0].expectation, results[0])
        raise_unless_empty(identity.reasons)
        start = drawn[0].population.to(self.device)
        raise_unless_empty(recorded(problem, start, results[0], drawn[0].expectation, variant, train))
        return identity

    def _memory(self, train: Train, pool: Pool) -> int | None:
        start = pool.draw().population.to(self.device)
        return row_growth(lambda: train(start, None), self.device, pool.n)

    def _how_many(self, seconds: float) -> int:
        return min(max(math.ceil(self.seconds / max(seconds, 1e-6)), LEAST_ROUNDS), MOST_ROUNDS)


def withdraw(benchmark: BenchmarkFixture) -> None:
    """Take a row back, whatever rounds it has had: it then stands in no table and no file."""
    benchmark.has_error = True
    if benchmark.stats is not None:
        benchmark.stats.stats.data.clear()


def cell_of(question: Question, variant: Variant, problem: Problem, n: int, **more: Any) -> Cell:  # noqa: ANN401 — Cell's own fields
    """The cell of a row that trains n policies."""
    return Cell(
        question=question,
        policies=n,
        steps=problem.steps,
        variant=variant.name,
        objective=problem.objective,
        optimizer=problem.optimizer,
        arithmetic=problem.arithmetic,
        **more,
    )


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


def raise_unless_empty(reasons: tuple[str, ...]) -> None:
    """Raise NotIdenticalError where there is a reason to, with the first; ``targetrl verify`` tells them all."""
    if reasons:
        raise NotIdenticalError(reasons[0] + (f" (and {len(reasons) - 1} more reasons)" if len(reasons) > 1 else ""))
