"""The gate: no identity, no number. It times a variant, and withholds the row unless every timed run converged identically."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from bench.pools import Pool, Slice
from targetrl_core import Population, Problem, Variant
from targetrl_core.convergence import Identity, check, passes
from targetrl_core.devices import synchronized_clock
from targetrl_core.history import History
from targetrl_core.variants import Train
from targetrl_core.verification import changed_fields, examine, same_bits

SECONDS = 1.0
"""About how long a row is timed."""

LEAST_ROUNDS, MOST_ROUNDS = 7, 100


class NotIdenticalError(Exception):
    """A run did not converge as the problem calls for; says how."""


def time_variant(benchmark: BenchmarkFixture, variant: Variant, problem: Problem, device: torch.device, pool: Pool) -> None:
    """Time ``variant`` on slices of ``pool`` from a fresh population on the device to the trained one there.

    Skips the test where the variant cannot run; fails it, and leaves no row, where a run is not identical.
    """
    reason = variant.unsupported(problem, device, pool.n)
    if reason is not None:
        pytest.skip(f"not measured: {reason}")
    with _withheld_unless_identical(benchmark):
        handed = problem.replace()
        begun = synchronized_clock()
        train = variant.prepare(handed, device, pool.n)
        prepare_seconds = synchronized_clock() - begun
        first = pool.draw()
        _raise(examine(problem, first.population, first.expectation, train, device)[1])
        identity = _time(benchmark, problem, device, pool, train)
        _raise(changed_fields(problem, handed))
    benchmark.extra_info.update(_facts(variant, problem, pool.n, identity), prepare_seconds=prepare_seconds)


def _time(benchmark: BenchmarkFixture, problem: Problem, device: torch.device, pool: Pool, train: Train) -> Identity:
    """Run the rounds, each from a slice drawn after ``prepare`` and checked after its clock stopped; the last one's identity."""
    drawn: list[Slice] = []
    results: list[Population] = []

    def setup() -> tuple[tuple[Population], dict[str, Any]]:
        drawn[:] = [pool.draw()]
        results.clear()
        return (drawn[0].population.clone().to(device),), {}

    def run(population: Population) -> None:
        results.append(train(population, None))

    def teardown(_population: Population) -> None:
        if not passes(drawn[0].expectation, results[0]):
            _raise(check(drawn[0].expectation, results[0]).reasons)

    rounds = _rounds(lambda: run(*setup()[0]))
    with torch.compiler.set_stance("fail_on_recompile"):
        benchmark.pedantic(run, setup=setup, teardown=teardown, rounds=rounds, warmup_rounds=1)
    # --benchmark-disable calls no teardown: what came back last is checked here, whatever the mode.
    identity = check(drawn[0].expectation, results[0])
    _raise(identity.reasons)
    history = History.empty(problem.steps, pool.n, device)
    if not same_bits(results[0], train(drawn[0].population.to(device), history)):
        raise NotIdenticalError("a recorded run does not end with the bits of the timed one")
    return identity


def _rounds(run: Any) -> int:  # noqa: ANN401 — a call without arguments
    run()
    begun = synchronized_clock()
    run()
    seconds = max(synchronized_clock() - begun, 1e-6)
    return min(max(math.ceil(SECONDS / seconds), LEAST_ROUNDS), MOST_ROUNDS)


def _raise(reasons: tuple[str, ...]) -> None:
    if reasons:
        raise NotIdenticalError("; ".join(reasons))


@contextmanager
def _withheld_unless_identical(benchmark: BenchmarkFixture) -> Iterator[None]:
    """Whatever goes wrong, take the row back: pytest-benchmark would show the rounds timed so far."""
    try:
        yield
    except BaseException as error:
        benchmark.has_error = True
        if benchmark.stats is not None:
            benchmark.stats.stats.data.clear()
        if isinstance(error, NotIdenticalError):
            pytest.fail(f"withheld: {error}", pytrace=False)
        raise


def _facts(variant: Variant, problem: Problem, n: int, identity: Identity) -> dict[str, Any]:
    """What the saved row says beside its times."""
    return {
        "variant": variant.name,
        "objective": problem.objective,
        "optimizer": problem.optimizer,
        "arithmetic": problem.arithmetic,
        "policies": n,
        "steps": problem.steps,
        "identity": identity.level,
        "ulp": {name: round(value, 3) for name, value in identity.ulp.items()},
        "ambiguous": identity.ambiguous,
        "outcomes": identity.outcomes._asdict(),
        "threads": torch.get_num_threads(),
    }
