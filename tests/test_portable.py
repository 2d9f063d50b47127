"""Portable arithmetic: the same bits from every executor, for every size, chunking and number of threads."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from targetrl_core import Population, Problem, train
from targetrl_core.arithmetic import arithmetic
from targetrl_core.certification import same_bits
from targetrl_core.convergence import undecided
from targetrl_core.listing.defaults import OBJECTIVES
from targetrl_core.listing.probe import probe
from targetrl_core.names import OPTIMIZERS
from targetrl_core.step import begin, end, rule_for, step, ticks
from targetrl_core.variants import batched_compiled
from tests.identity import identities


@pytest.fixture
def threads() -> Iterator[None]:
    """Puts the number of threads back."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


COMPILED: dict[str, tuple[str, ...]] = {"detached": ("batched-compiled",), "pathwise": ("batched-compiled",), "reinforce": ()}
"""What compiles for each kind of problem: for the noise of `reinforce` too long to do it for any constants."""

CONSTANTS = {
    "target": st.floats(0.05, 0.95),
    "k": st.floats(0.1, 20.0),
    "lr": st.floats(1e-3, 1.0),
    "x": st.one_of(st.just(1.0), st.floats(-3.0, 3.0).filter(lambda x: x == 0.0 or abs(x) > 1e-3)),
    "beta1": st.one_of(st.just(0.0), st.floats(1e-3, 0.99)),
    "beta2": st.floats(0.5, 0.9999),
    "eps": st.floats(1e-10, 1e-3),
}


@given(objective=st.sampled_from(OBJECTIVES), optimizer=st.sampled_from(OPTIMIZERS), constants=st.fixed_dictionaries(CONSTANTS))
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
def test_any_constants_give_the_same_bits(objective: Any, optimizer: Any, constants: dict[str, float]) -> None:  # noqa: ANN401
    """Portable variants agree bit for bit under constants that hypothesis draws; `batched-compiled` where nothing is drawn by the step."""
    problem = Problem(objective=objective, optimizer=optimizer, arithmetic="portable", steps=30, **constants)  # type: ignore[arg-type]
    population = Population.initialise(1003, seed=21)
    trained = train(problem, population, variant="batched").population
    for variant in ("fused", *COMPILED[objective]):
        assert same_bits(trained, train(problem, population, variant=variant).population)


@given(objective=st.sampled_from(OBJECTIVES), optimizer=st.sampled_from(OPTIMIZERS), constants=st.fixed_dictionaries(CONSTANTS))
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
def test_any_constants_stay_within_the_bound(objective: Any, optimizer: Any, constants: dict[str, float]) -> None:  # noqa: ANN401
    """Native variants stay within the derived bound under constants that hypothesis draws, probes at the hard points included."""
    problem = Problem(objective=objective, optimizer=optimizer, steps=30, **constants)  # type: ignore[arg-type]
    for population in (Population.initialise(1003, seed=22), probe(problem, 1003, torch.Generator().manual_seed(22))):
        for variant, identity in identities(("batched", "batched-vmap", "fused", *COMPILED[objective]), problem, population).items():
            assert not [reason for reason in identity.reasons if not undecided([reason])], (variant, identity.reasons)


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("n", [1, 7, 1000, 100_003, 600_001])
def test_size_and_threads_do_not_show(n: int) -> None:
    """With 1 and 2 threads, at sizes that fill vectors, chunks and cache lines or do not, the bits are the same."""
    problem, population = Problem(arithmetic="portable"), Population.initialise(n, seed=23)
    results = []
    for count in (1, 2):
        torch.set_num_threads(count)
        results += [train(problem, population, variant=variant).population for variant in ("batched", "batched-compiled", "fused")]
    assert all(same_bits(results[0], other) for other in results[1:])


def test_chunking_does_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut into other chunks, a population trains to the same bits."""
    problem, population = Problem(arithmetic="portable", objective="pathwise"), Population.initialise(5000, seed=24)
    whole = train(problem, population, variant="batched-compiled").population
    monkeypatch.setattr(batched_compiled, "CHUNK", 640)
    assert batched_compiled.cut(5000, torch.device("cpu")) == (8, 640)
    run = batched_compiled.prepare(problem, torch.device("cpu"), 5000)
    assert same_bits(whole, run(population.clone(), None))


def test_a_slice_trains_to_the_slice() -> None:
    """Any slice of a population, trained alone, ends at the bits it has in the whole."""
    problem, population = Problem(arithmetic="portable"), Population.initialise(5000, seed=25)
    whole = train(problem, population, variant="batched").population
    part = train(problem, population.slice(1234, 2345), variant="batched").population
    assert same_bits(whole.slice(1234, 2345), part)


class LikeMps(TorchDispatchMode):
    """Refuses what MPS lacks: float64 tensors."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # noqa: ANN401
        """Run the operation, unless it makes a float64 tensor."""
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, torch.Tensor) and tensor.dtype == torch.float64:
                raise TypeError(f"MPS has no float64: {func}")
        return result


@pytest.mark.parametrize("name", ["native", "portable"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_step_needs_no_float64(objective: Any, optimizer: Any, name: Any) -> None:  # noqa: ANN401
    """As MPS would run it, the step makes no float64 tensor, and in portable arithmetic the CPU's bits."""
    problem = Problem(objective=objective, optimizer=optimizer, arithmetic=name, beta2=[0.999] * 500)
    population = Population.initialise(500, seed=26)
    c, by_step = problem.constants(torch.device("cpu")), ticks(problem, 0, torch.device("cpu"))
    mps = torch.device("mps")
    root = arithmetic("portable", mps).sqrt if objective == "reinforce" else None
    rule = rule_for(problem, population)._replace(arithmetic=arithmetic(name, mps), noise_root=root)
    with LikeMps():
        state = begin(rule, population, c)
        for tick in by_step:
            state, _ = step(rule, state, c, tick)
    trained = end(rule, population, state, problem.steps)
    expected = train(problem, population, variant="batched").population
    if name == "portable":
        assert same_bits(trained, expected)
    else:
        assert torch.allclose(trained.weight, expected.weight, atol=1e-4)


def test_the_dispatch_mode_would_notice() -> None:
    """The stand-in for MPS does refuse float64."""
    with LikeMps(), pytest.raises(TypeError, match="no float64"):
        torch.ones(1, dtype=torch.float64)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_no_subnormals(objective: Any) -> None:  # noqa: ANN401
    """1,500 steps, long enough for idle moments to decay away, leave no subnormal in any state tensor."""
    problem = Problem(objective=objective, arithmetic="portable", steps=1500, beta1=0.5, beta2=0.9)
    trained = train(problem, Population.initialise(2000), variant="batched").population
    smallest = torch.finfo(torch.float32).smallest_normal
    for tensor in trained.tensors().values():
        assert bool(((tensor == 0) | (tensor.abs() >= smallest)).all())
