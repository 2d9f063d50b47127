"""`reinforce`: the estimator against its expectation, every variant against an independent program, and what it reaches."""

import math
from typing import Any

import numpy as np
import pytest
import torch

from targetrl_core import Population, Problem, UsageError, Variant, train, verify
from targetrl_core import noise as noises
from targetrl_core.certification import same_bits
from targetrl_core.cli import main
from targetrl_core.listing.gradients import reinforce_gradient
from targetrl_core.listing.probe import probe
from targetrl_core.population import consecutive_seeds
from targetrl_core.step import begin, rule_for, ticks
from targetrl_core.variants import Train
from targetrl_core.variants.batched import BATCHED
from tests.identity import check_variants
from tests.independent import reinforce

CPU = torch.device("cpu")
PORTABLE = ("batched", "batched-compiled", "fused")
NATIVE = ("eager", "compiled", "batched-vmap", "batched", "batched-compiled", "fused")
QUICK = tuple(variant for variant in NATIVE if "compiled" not in variant)
POLYNOMIALS = {"log": noises._LOG, "sin": noises._SIN, "cos": noises._COS}  # noqa: SLF001 — part of the specification


def gradients(problem: Problem, output: float, baseline: float, n: int = 400_000) -> torch.Tensor:
    """The estimates of n policies whose output is the same, [n] float64."""
    population = Population.fresh(torch.full((n,), math.log(output / (1 - output))), torch.zeros(n))
    rule, c = rule_for(problem, population), problem.constants(CPU)
    state = begin(rule, population, c)
    if state.baseline is not None:
        state = state._replace(baseline=torch.full((n,), baseline))
    return reinforce_gradient(rule, state, torch.full((n,), output), c, ticks(problem, 0, CPU)[0])[0].double()


@pytest.mark.parametrize("samples", [1, 3, 8])
@pytest.mark.parametrize("baseline", ["none", "moving-average"])
@pytest.mark.parametrize("output", [0.3, 0.77, 0.8, 0.85])
def test_the_estimate_has_the_right_expectation(output: float, baseline: Any, samples: int) -> None:  # noqa: ANN401
    """The mean of many estimates is k·erf((o − target)/(σ√2))·o·(1 − o), within four of its standard errors, whatever the baseline."""
    problem = Problem(objective="reinforce", baseline=baseline, samples=samples, sigma=0.05)
    estimates = gradients(problem, output, baseline=0.4)
    exact = 5.0 * math.erf((output - 0.8) / (0.05 * math.sqrt(2))) * output * (1 - output)
    standard_error = float(estimates.std()) / math.sqrt(len(estimates))
    assert abs(float(estimates.mean()) - exact) < 4 * standard_error
    assert standard_error < 0.02


def test_more_samples_and_a_baseline_lower_the_variance() -> None:
    """Eight samples have an eighth of the variance of one, and a baseline near the reward has less than none."""
    single = gradients(Problem(objective="reinforce"), 0.7, baseline=0.5)
    eight = gradients(Problem(objective="reinforce", samples=8), 0.7, baseline=0.5)
    bare = gradients(Problem(objective="reinforce", baseline="none"), 0.7, baseline=0.0)
    assert float(eight.var() / single.var()) == pytest.approx(1 / 8, rel=0.03)
    assert float(single.var()) < 0.8 * float(bare.var())


@pytest.mark.parametrize(
    "constants",
    [
        {},
        {"baseline": "none"},
        {"samples": 5, "sigma": 0.2, "noise_seed": 2**40 + 3},
        {"target": 0.3, "k": 2.0, "lr": 0.03, "baseline_decay": 0.5, "beta1": 0.5, "beta2": 0.9, "eps": 1e-6},
    ],
)
def test_portable_variants_are_an_independent_program(constants: dict[str, Any]) -> None:
    """Every portable variant ends at the bits of a NumPy program that shares no line with them."""
    problem = Problem(objective="reinforce", arithmetic="portable", **constants)
    population = Population.initialise(1003, seed=2**33 - 500)
    names = ("target", "k", "lr", "beta1", "beta2", "eps", "sigma", "baseline_decay", "steps", "samples", "noise_seed")
    values = {name: getattr(problem, name) for name in names}
    seeds = np.arange(2**33 - 500, 2**33 - 500 + 1003, dtype=np.uint64)
    expected = reinforce(population.weight.numpy(), population.bias.numpy(), seeds, POLYNOMIALS, baseline=problem.keeps_baseline, **values)
    for variant in PORTABLE:
        trained = train(problem, population, variant=variant).population
        for name, array in expected.items():
            assert np.array_equal(trained.tensors()[name].numpy().view(np.int32), array.view(np.int32)), (variant, name)


@pytest.mark.parametrize(
    ("samples", "baseline", "variants"),
    [
        (1, "none", (*QUICK, "compiled")),
        (2, "moving-average", (*QUICK, "batched-compiled")),
        (5, "none", QUICK),  # two blocks of random words, which take compilers long
        (5, "moving-average", QUICK),
    ],
)
def test_native_variants_are_identical(samples: int, baseline: Any, variants: tuple[str, ...]) -> None:  # noqa: ANN401
    """Whatever the samples and the baseline, native variants converge as the oracle does, probes included."""
    problem = Problem(objective="reinforce", samples=samples, baseline=baseline)
    check_variants(variants, problem, Population.initialise(48, seed=3))
    check_variants(variants, problem, probe(problem, 48, torch.Generator().manual_seed(3)))


def test_native_variants_pass_the_examination() -> None:
    """Variants are verified with all that is asked beside the run itself, briefly."""
    for variant in ("batched-vmap", "batched", "batched-compiled", "fused"):
        report = verify(Problem(objective="reinforce", samples=2), Population.initialise(40, seed=3), variant=variant)
        assert report.identical, (variant, report.reasons)


def test_a_constant_may_differ_between_policies() -> None:
    """σ and the baseline's decay may be one value per policy, in every variant that takes such."""
    spread = torch.linspace(0.0, 1.0, 48)
    problem = Problem(objective="reinforce", sigma=0.02 + 0.3 * spread, baseline_decay=0.5 + 0.4 * spread, target=0.3 + 0.4 * spread)
    check_variants(NATIVE, problem, Population.initialise(48))
    portable = problem.replace(arithmetic="portable")
    first, *others = (train(portable, Population.initialise(48), variant=variant).population for variant in PORTABLE)
    assert all(same_bits(first, other) for other in others)


@pytest.mark.parametrize("variant", NATIVE)
def test_going_on_draws_what_comes_next(variant: str) -> None:
    """30 steps and then 20 end at the bits of 50: the baseline and the noise go on where they stopped."""
    population = Population.initialise(48, seed=5)
    whole = train(Problem(objective="reinforce"), population, variant=variant).population
    first = train(Problem(objective="reinforce", steps=30), population, variant=variant).population
    assert same_bits(whole, train(Problem(objective="reinforce", steps=20), first, variant=variant).population)
    assert whole.seeds == population.seeds


def test_any_policies_draw_their_own_noise() -> None:
    """A slice, and policies picked in any order, train to the bits that they have in the whole, by any portable variant."""
    problem, population = Problem(objective="reinforce", arithmetic="portable", steps=10), Population.initialise(48, seed=-40)
    whole = train(problem, population, variant="batched").population
    picked = torch.tensor([47, 3, 41, 40])
    for variant in PORTABLE:
        assert same_bits(whole.take(picked), train(problem, population.take(picked), variant=variant).population)
        assert same_bits(whole.slice(17, 29), train(problem, population.slice(17, 29), variant=variant).population)


def test_seeds_wrap_around_as_their_bits_do() -> None:
    """Consecutive seeds across 2⁶³ and up to 2⁶⁴ − 1 are int64 numbers of the same bits."""
    assert consecutive_seeds(2**63 - 1, 2, CPU).tolist() == [2**63 - 1, -(2**63)]
    assert consecutive_seeds(2**64 - 2, 2, CPU).tolist() == [-2, -1]
    assert consecutive_seeds(-3, 4, CPU).tolist() == [-3, -2, -1, 0]


def test_what_it_reaches() -> None:
    """With the default constants some 78 % are within 0.05 of the target after 50 steps, and some 89 % after 200."""
    population = Population.initialise(20_000)
    for steps, share in ((50, 0.78), (200, 0.89)):
        outputs = train(Problem(objective="reinforce", steps=steps), population, variant="batched").outputs
        assert float(((outputs - 0.8).abs() <= 0.05).double().mean()) == pytest.approx(share, abs=0.01)


@pytest.mark.parametrize(
    ("constants", "message"),
    [
        ({"sigma": 0.0}, "sigma is 0.0; it must be a number from 0.0001 to 10000"),
        ({"sigma": [0.1, float("nan")]}, r"sigma\[1\] is nan; it must be a number from 0.0001 to 10000"),
        ({"baseline": "mean"}, "baseline is 'mean'; it must be one of moving-average, none"),
        ({"baseline_decay": 1.0}, r"baseline_decay is 1.0; it must be a number in \[0, 1\)"),
        ({"samples": 0}, "samples is 0; it must be an integer from 1 to 1024"),
        ({"noise_seed": 2**64}, "noise_seed is 18446744073709551616; it must be an integer"),
    ],
)
def test_wrong_constants_are_named(constants: dict[str, Any], message: str) -> None:
    """A constant of `reinforce` that is out of its range is refused in one line, with the range."""
    with pytest.raises(UsageError, match=message):
        Problem(objective="reinforce", **constants)


def test_wrong_seeds_are_named() -> None:
    """Seeds that are too few, of another kind or with gaps are refused in one line."""
    weight, bias = torch.zeros(3), torch.zeros(3)
    with pytest.raises(UsageError, match="seeds has 2 values; it must have one per policy: 3"):
        Population.fresh(weight, bias, range(2))
    with pytest.raises(UsageError, match="it must be consecutive integers, or an int64 tensor"):
        Population.fresh(weight, bias, range(0, 6, 2))
    with pytest.raises(UsageError, match="it must be consecutive integers, or an int64 tensor"):
        Population.fresh(weight, bias, torch.zeros(3))


def test_the_command_prints_what_was_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    """A single policy's lines are printed with the rewards of its own actions, and the eager listing's own lines stay as they are."""
    assert main(["train", "--objective", "reinforce", "--steps", "3", "--samples", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    problem = Problem(objective="reinforce", steps=3, samples=2)
    outputs = train(problem, Population.initialise(1), variant="eager", record=True).history
    assert outputs is not None
    assert len(lines) == 3
    [epsilon] = torch.stack(list(noises.noise(torch.tensor([0]), noises.draw_table(0, 0, 1, CPU)[0], 2, torch.sqrt))).T
    reward = (1 - 5 * (outputs[0, 0] + 0.05 * epsilon - 0.8).abs()).mean()
    assert lines[0].startswith(f"Step 0: output={outputs[0, 0]:.3f}, reward={reward:.3f}, loss=")


@pytest.mark.parametrize(
    "other", [{"noise_seed": 1}, {"baseline_decay": 0.8001}, {"baseline": "none"}, {"sigma": 0.05001}, {"samples": 2}, {"k": 5.0002}]
)
def test_other_draws_are_not_identical(other: dict[str, Any]) -> None:
    """A variant that draws other noise, or weighs it otherwise, is not identical, in either arithmetic."""

    def prepare(problem: Problem, device: torch.device, n: int) -> Train:
        return BATCHED.prepare(problem.replace(**other), device, n)

    cheat = Variant("cheat", lambda _problem, _device, _n: None, prepare)
    for arithmetic in ("native", "portable"):
        problem = Problem(objective="reinforce", arithmetic=arithmetic)
        assert not verify(problem, Population.initialise(100), variant=cheat).identical
