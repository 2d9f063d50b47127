"""The oracle against 50 digits, and its account of rounding against rounding itself."""

import json
from itertools import product

import mpmath
import pytest
import torch

from targetrl_core import Population, Problem, train
from targetrl_core.oracle import reference
from targetrl_core.population import STATE_NAMES
from targetrl_core.rounding import FACTOR, float32_ulp
from targetrl_core.verification import verify
from tests import golden_bounds


def by_mpmath(problem: Problem, weight: float, bias: float) -> dict[str, mpmath.mpf]:
    """All steps of one policy at 50 digits, from the textbook definitions."""
    c = {name: mpmath.mpf(getattr(problem, name)) for name in ("target", "k", "x", "lr", "beta1", "beta2", "eps")}
    p = {"weight": mpmath.mpf(weight), "bias": mpmath.mpf(bias)}
    m = dict.fromkeys(p, mpmath.mpf(0))
    v = dict.fromkeys(p, mpmath.mpf(0))
    for t in range(1, problem.steps + 1):
        o = 1 / (1 + mpmath.exp(-(p["weight"] * c["x"] + p["bias"])))
        if problem.objective == "detached":
            dz = -(1 - c["k"] * abs(o - c["target"])) * (1 - o)
        else:
            dz = c["k"] * mpmath.sign(o - c["target"]) * o * (1 - o)
        for name, gradient in (("weight", dz * c["x"]), ("bias", dz)):
            if problem.optimizer == "sgd":
                p[name] -= c["lr"] * gradient
                continue
            m[name] = c["beta1"] * m[name] + (1 - c["beta1"]) * gradient
            v[name] = c["beta2"] * v[name] + (1 - c["beta2"]) * gradient**2
            m_hat, v_hat = m[name] / (1 - c["beta1"] ** t), v[name] / (1 - c["beta2"] ** t)
            p[name] -= c["lr"] * m_hat / (mpmath.sqrt(v_hat) + c["eps"])
    return p | {f"m_{name}": value for name, value in m.items()} | {f"v_{name}": value for name, value in v.items()}


@pytest.mark.parametrize(("objective", "optimizer", "x"), list(product(("detached", "pathwise"), ("adam", "sgd"), (1.0, -1.7))))
def test_oracle_agrees_with_fifty_digits(objective: str, optimizer: str, x: float) -> None:
    """After 50 steps every state tensor is within 1e-12 of mpmath at 50 digits, far inside one float32 ulp."""
    problem = Problem(objective=objective, optimizer=optimizer, x=x)  # type: ignore[arg-type]
    population = Population.initialise(20, seed=40)
    ref = reference(problem, population)
    with mpmath.workdps(50):
        for policy in range(population.n):
            if ref.undetermined[policy]:
                continue
            exact = by_mpmath(problem, population.weight[policy].item(), population.bias[policy].item())
            for name in STATE_NAMES:
                assert abs(ref.state[name][policy].item() - exact[name]) < 1e-12


def test_ulp_is_the_distance_to_the_next_float() -> None:
    """float32_ulp is the spacing of float32 at the magnitude given, and the smallest normal's below that."""
    values = torch.tensor([1.0, 1.5, 2.0, 0.3, -5.0, 2.0**-130, 0.0], dtype=torch.float64)
    assert float32_ulp(values).tolist() == [2.0**-23, 2.0**-23, 2.0**-22, 2.0**-25, 2.0**-21, 2.0**-149, 2.0**-149]


def test_kinks_and_thresholds_are_rare() -> None:
    """Of a million usual starts, 50 steps bring about 1 in 700 (pathwise) or 1 in 100,000 (detached) to a kink."""
    population = Population.initialise(20_000)
    pathwise = reference(Problem(objective="pathwise"), population)
    detached = reference(Problem(), population)
    assert 0.0005 < float(pathwise.undetermined.double().mean()) < 0.0025
    assert int(detached.undetermined.sum()) <= 2
    assert int(pathwise.first_unsure.sum()) <= 4


def test_reach_covers_rounding_and_little_more() -> None:
    """An honest float32 run uses between a fortieth and the whole of the bound: it is neither broken nor slack."""
    problem, population = Problem(), Population.initialise(50_000)
    ref = reference(problem, population)
    trained = train(problem, population, variant="batched").population
    for name in STATE_NAMES:
        used = (getattr(trained, name).double() - ref.state[name]).abs() / ref.reach[name] / FACTOR
        assert 1 / 40 < float(used[~ref.undetermined].max()) < 1.0


CASES = {name: (problem, population) for name, problem, population in golden_bounds.cases()}


@pytest.mark.parametrize("name", CASES)
def test_the_bound_moves_only_when_it_is_moved(name: str) -> None:
    """Path, reach, kinks and outcomes are those of golden/bounds.json, for every kind of problem: a bound that changes is seen."""
    actual, golden = golden_bounds.summary(*CASES[name]), json.loads(golden_bounds.FILE.read_text())[name]
    assert actual == pytest.approx(golden, rel=1e-5, abs=1e-9)


def test_a_logit_far_out_is_not_taken_for_undetermined() -> None:
    """Collapsed policies whose logits go on falling for a thousand steps of SGD are held to their bounds: few are ambiguous."""
    problem, population = Problem(optimizer="sgd", lr=0.5, steps=1000), Population.initialise(1000)
    ref = reference(problem, population)
    assert float(ref.logit.min()) < -2900
    assert int(ref.undetermined.sum()) <= 2
    assert verify(problem, population, variant="fused").level == "bounded"
