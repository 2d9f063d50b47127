"""Honest variants under unusual problems: `batched`, `fused` and torch's own recipes are never called diverged, whatever the constants.

The number of problems is that of the environment variable HONEST_PROBLEMS, 8 where it is not set, and HONEST_SEED draws others.
Where it is set, each meets the whole examination:

    HONEST_PROBLEMS=300 HONEST_SEED=1 pytest tests/test_honest.py --hypothesis-show-statistics

which tells how often each verdict was given, too.
"""

import math
import os
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, event, given, reject, seed, settings
from hypothesis import strategies as st

from targetrl_core import Population, Problem, UsageError, train, verify
from targetrl_core.certification import certify
from targetrl_core.convergence import check
from targetrl_core.listing.defaults import OBJECTIVES
from targetrl_core.names import OPTIMIZERS
from tests.cheats import CHEATS

PROBLEMS = int(os.environ.get("HONEST_PROBLEMS", "8"))
SEED = os.environ.get("HONEST_SEED")

pytestmark = [pytest.mark.examination] if "HONEST_PROBLEMS" in os.environ else []

LARGEST_POWER = math.log10(3e38)
SMALLEST_POWER = math.log10(1.2e-38)
FEW = 3
"""Policies that `eager` trains in a moment."""


def positive(usual: float, low: float = SMALLEST_POWER, high: float = LARGEST_POWER) -> st.SearchStrategy[float]:
    """The usual value, one within a factor of 1,000 of it, or one from the whole range, log-uniform."""
    near = st.floats(max(math.log10(usual) - 3.0, low), min(math.log10(usual) + 3.0, high))
    return st.just(usual) | st.one_of(near, st.floats(low, high)).map(lambda power: float(10.0**power))


def decay(usual: float) -> st.SearchStrategy[float]:
    """The usual value, 0, one from [0, 1), or one that is close to 1 or to 0."""
    tiny = st.floats(-7.0, -1.0).map(lambda power: float(10.0**power))
    return st.one_of(st.just(usual), st.just(0.0), st.floats(0.0, 0.99), tiny.map(lambda rate: 1.0 - rate), tiny)


CONSTANTS: dict[str, st.SearchStrategy[float]] = {
    "target": st.one_of(
        st.just(0.8), st.floats(0.01, 0.99), positive(1e-3, high=-0.01), st.floats(-7.0, -1.0).map(lambda power: 1.0 - 10.0**power)
    ),
    "k": positive(5.0),
    "x": st.one_of(st.just(1.0), st.just(0.0), positive(1.0), positive(1.0).map(lambda x: -x)),
    "lr": positive(0.1),
    "beta1": decay(0.9),
    "beta2": decay(0.999),
    "eps": positive(1e-8),
    "sigma": positive(0.05, -4.0, 4.0),
    "baseline_decay": decay(0.8),
}


@st.composite
def problems(draw: st.DrawFn) -> tuple[Problem, Population]:
    """A problem, and a population that begins by its seeds, or goes on from where an ordinary problem left it."""
    n, age = draw(st.integers(1, 100)), draw(st.sampled_from((0, 0, 5)))
    names = draw(st.sets(st.sampled_from(sorted(CONSTANTS)), min_size=1))
    own = draw(st.sets(st.sampled_from(sorted(names)))) if draw(st.booleans()) else set()
    values: dict[str, Any] = {}
    for name in sorted(names):
        few = draw(st.lists(CONSTANTS[name], min_size=1, max_size=4))
        values[name] = [few[policy % len(few)] for policy in range(n)] if name in own else few[0]
    objective, optimizer = draw(st.sampled_from(OBJECTIVES)), draw(st.sampled_from(OPTIMIZERS))
    values |= {"samples": draw(st.integers(1, 5)), "baseline": draw(st.sampled_from(("moving-average", "none")))}
    values |= {"objective": objective, "optimizer": optimizer, "steps": draw(st.integers(1, 60))}
    try:
        problem = Problem(**values)
    except UsageError:
        reject()
    start = Population.initialise(n, seed=draw(st.integers(0, 10_000)))
    if age:
        start = train(Problem(objective=objective, optimizer=optimizer, steps=age), start, variant="batched").population
    return problem, start


def honest(problem: Problem, n: int) -> Iterator[str]:
    """The variants to try."""
    yield from ("batched", "fused")
    alike = not ({"lr", "beta1", "beta2", "eps"} & problem.per_policy.keys())
    if alike:
        yield "batched-vmap"
    if n <= FEW:
        yield "eager"


@settings(max_examples=PROBLEMS, derandomize=SEED is None, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(problems())
def test_no_honest_variant_is_called_diverged(case: tuple[Problem, Population]) -> None:
    """Under unusual problems, of any constants, the verdict on an honest variant is identical or undecided."""
    problem, start = case
    expectation = certify(problem, start)
    for variant in honest(problem, start.n):
        report = verify(problem, start, variant=variant, expectation=expectation)
        event(f"{variant}: {'identical' if report.identical else report.level}")
        assert report.level != "diverged", (variant, problem, report.reasons)


if SEED is not None:
    seed(int(SEED))(test_no_honest_variant_is_called_diverged)


BOUNDED: list[tuple[dict[str, Any], int, int]] = [
    ({"objective": "pathwise", "x": 1e3}, 1, 43),
    ({"objective": "pathwise", "k": 1e-14}, 20, 0),
    ({"objective": "pathwise", "x": 0.0, "eps": 1e-30, "k": 1e-12}, 20, 0),
    ({"objective": "pathwise", "k": 1e-20, "x": 1e-10, "optimizer": "sgd"}, 20, 0),
]
"""Constants, policies, seed: gradients or their squares are smaller than normal numbers, and what comes of them is known all the same."""


@pytest.mark.parametrize("variant", ["batched", "fused"])
@pytest.mark.parametrize(("constants", "n", "first"), BOUNDED)
@pytest.mark.parametrize("arithmetic", ["native", "portable"])
def test_underflow_is_no_divergence(constants: dict[str, Any], n: int, first: int, variant: str, arithmetic: Any) -> None:  # noqa: ANN401
    """What is too small for a normal float32 may come to nothing, or not, and the variant is identical either way."""
    report = verify(Problem(arithmetic=arithmetic, **constants), Population.initialise(n, seed=first), variant=variant)
    assert report.identical, report.reasons


UNCLEAR: list[tuple[dict[str, Any], int, int]] = [
    ({"objective": "pathwise", "x": 300.0}, 300, 0),
    ({"beta2": 0.0}, 100, 7),
    ({"x": 1e3}, 100, 0),
    ({"objective": "pathwise", "optimizer": "sgd", "x": -3.0, "k": 50.0}, 100, 0),
    ({"k": 8e30, "lr": 3.0}, 50, 0),
    ({"objective": "detached", "optimizer": "sgd", "x": -5e34, "k": 5.0}, 50, 0),
    ({"objective": "reinforce", "optimizer": "sgd", "baseline": "none", "x": -1.3e36, "lr": 100.0, "steps": 34}, 86, 0),
]
"""The same, of problems that leave many policies to rounding, or overflow float32."""


@pytest.mark.parametrize("variant", ["batched", "fused"])
@pytest.mark.parametrize(("constants", "n", "first"), UNCLEAR)
def test_what_hangs_on_rounding_is_undecided(constants: dict[str, Any], n: int, first: int, variant: str) -> None:
    """Where too many policies hang on a rounding error the verdict on an honest variant is `undecided`, and no reason says otherwise."""
    report = verify(Problem(**constants), Population.initialise(n, seed=first), variant=variant)
    assert report.level == "undecided"
    assert not report.identical
    assert all(reason.startswith("undecided: ") for reason in report.reasons)


def test_unambiguous_policies_decide() -> None:
    """A variant that is wrong where nothing hangs on rounding is diverged, however many other policies are ambiguous."""
    problem, cheat = Problem(x=1e3), next(cheat for cheat in CHEATS if cheat.name == "cheat-beta2-float32")
    report = verify(problem, Population.initialise(100), variant=cheat)
    assert report.level == "diverged"
    assert "out of bounds" in report.reasons[0]
    assert any(reason.startswith("undecided: ") for reason in report.reasons)


def test_moments_of_the_weight_have_errors_of_their_own() -> None:
    """A population that was trained under another x goes on under this one: its moments are not x and x² times those of the bias."""
    older = train(Problem(objective="reinforce", steps=5), Population.initialise(56, seed=3), variant="batched").population
    problem = Problem(objective="reinforce", beta2=0.0, lr=0.002, sigma=1.5, x=0.18, baseline="none", steps=19)
    for variant in ("batched", "fused"):
        trained = train(problem, older, variant=variant).population
        assert check(certify(problem, older), trained).level != "diverged"


@pytest.mark.parametrize("flushing", [False, True])
def test_devices_that_flush_are_identical(flushing: bool) -> None:  # noqa: FBT001
    """Whether small numbers are kept or flushed to zero, a run is within its bounds."""
    problem, population = Problem(objective="pathwise", x=30.0, k=1e-8), Population.initialise(100)
    expectation = certify(problem, population)
    torch.set_flush_denormal(flushing)
    try:
        trained = train(problem, population, variant="batched").population
    finally:
        torch.set_flush_denormal(False)
    assert check(expectation, trained).level != "diverged"
