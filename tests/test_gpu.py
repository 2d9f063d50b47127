"""What a GPU computes, beside the CPU: run where there is one, and on any device that ``--device`` names."""

from itertools import product

import pytest
import torch

from targetrl_core import Population, Problem, available_devices, stream, train, verify
from targetrl_core.certification import same_bits
from targetrl_core.listing.defaults import OBJECTIVES
from targetrl_core.names import OPTIMIZERS
from targetrl_core.variants import find_variant

N = 3000
SPREAD = torch.arange(N) / (N - 1)
OWN = {
    "target": 0.1 + 0.8 * SPREAD,
    "k": 3 + 4 * SPREAD,
    "lr": 0.01 + 0.2 * SPREAD,
    "beta1": 0.7 + 0.2 * SPREAD,
    "eps": 1e-8 + 1e-6 * SPREAD,
}
KINDS = list(product(OBJECTIVES, OPTIMIZERS, (1.0, -1.7), ("shared", "own"), ("fresh", "aged")))


@pytest.fixture(scope="module")
def device(request: pytest.FixtureRequest) -> str:
    """The GPU that is here, or the device that was named."""
    named: str = request.config.getoption("--device")
    gpus = [name for name in available_devices() if name != "cpu"]
    if named == "all" and not gpus:
        pytest.skip("there is no GPU")
    return gpus[0] if named == "all" else named


def able(variant: str, problem: Problem, device: str) -> str:
    """A variant that can train there; else the test is skipped with the reason."""
    reason = find_variant(variant).unsupported(problem, torch.device(device), N)
    if reason is not None:
        pytest.skip(reason)
    return variant


@pytest.mark.parametrize(("objective", "optimizer", "x", "constants", "age"), KINDS)
@pytest.mark.parametrize("variant", ["fused", "batched"])
def test_portable_arithmetic_has_the_bits_of_the_cpu(
    objective: str, optimizer: str, x: float, constants: str, age: str, variant: str, device: str
) -> None:
    """Every state tensor and every recorded output, of fresh and trained policies, by constants of all and of their own."""
    problem = Problem(objective=objective, optimizer=optimizer, x=x, steps=12, arithmetic="portable", **(OWN if constants == "own" else {}))  # type: ignore[arg-type]
    population = Population.initialise(N, seed=51)
    if age == "aged":
        population = train(problem, population, variant="batched").population
    here = train(problem, population, variant="batched", record=True)
    there = train(problem, population, variant=able(variant, problem, device), device=device, record=True)
    assert same_bits(here.population, there.population.to("cpu"))
    assert here.history is not None
    assert there.history is not None
    assert torch.equal(here.history, there.history.cpu())


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("variant", ["fused", "batched", "batched-compiled", "batched-graphed", "batched-vmap"])
def test_every_variant_is_identical(objective: str, variant: str, device: str) -> None:
    """In native arithmetic too, each passes the examination."""
    problem = Problem(objective=objective)  # type: ignore[arg-type]
    report = verify(problem, Population.initialise(N), variant=able(variant, problem, device), device=device)
    assert report.reasons == ()


def test_a_stream_adds_up_to_that_of_the_cpu(device: str) -> None:
    """Outcomes, first steps and the checksum of starts made on the device, in portable arithmetic."""
    problem = Problem(objective="pathwise", arithmetic="portable")
    *_, here = stream(problem, 20_000, variant=able("fused", problem, "cpu"), chunk=7000)
    *_, there = stream(problem, 20_000, variant=able("fused", problem, device), device=device, chunk=7000)
    assert (here.checksum, here.outcomes) == (there.checksum, there.outcomes)
