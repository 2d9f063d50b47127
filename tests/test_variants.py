"""Every variant against the oracle, and what variants promise beside being right."""

import contextlib
from collections.abc import Callable, Iterator
from itertools import product
from unittest import mock

import pytest
import torch

from targetrl_core import VARIANTS, Population, Problem, UsageError, train, verify
from targetrl_core.certification import certify, same_bits
from targetrl_core.history import History
from targetrl_core.listing.defaults import OBJECTIVES
from targetrl_core.names import ARITHMETICS, OPTIMIZERS
from targetrl_core.state import State
from targetrl_core.variants import batched_graphed
from tests.identity import able, check_variants

CPU = torch.device("cpu")
ONE_BY_ONE = ("eager", "compiled")
BATCHED = ("batched-vmap", "batched", "batched-compiled", "fused")
KINDS = list(product(OBJECTIVES, OPTIMIZERS, ARITHMETICS))


def problem_of(objective: str, optimizer: str, arithmetic: str, **constants: object) -> Problem:
    """A problem whose learning rate suits its optimiser."""
    constants.setdefault("lr", 0.1 if optimizer == "adam" else 0.5)
    return Problem(objective=objective, optimizer=optimizer, arithmetic=arithmetic, **constants)  # type: ignore[arg-type]


def examine_variants(names: tuple[str, ...], problem: Problem, population: Population) -> None:
    """Verify each variant that can run the problem against one expectation."""
    expectation = certify(problem, population)
    for name in able(names, problem, population.n):
        report = verify(problem, population, variant=name, expectation=expectation)
        assert report.identical, (name, report.reasons)


SIZES = (1, 1000, 20_011)
CASES = [(*kind, n) for kind in KINDS for n in SIZES if kind[0] != "reinforce"]
# The noise of reinforce takes some 200 operators a step, and compilers long: one size of two kinds has to do.
CASES += [("reinforce", "adam", "native", 1000), ("reinforce", "sgd", "portable", 1000)]


@pytest.mark.parametrize(("objective", "optimizer", "arithmetic", "n"), CASES)
def test_batched_variants_are_identical(objective: str, optimizer: str, arithmetic: str, n: int) -> None:
    """Each batched variant converges identically for every optimiser, arithmetic and size, and with noise for some."""
    check_variants(BATCHED, problem_of(objective, optimizer, arithmetic), Population.initialise(n, seed=11))


EXAMINED = [
    ("detached", "adam", "native"),
    ("detached", "sgd", "portable"),
    ("pathwise", "sgd", "native"),
    ("pathwise", "adam", "portable"),
]


@pytest.mark.parametrize(("objective", "optimizer", "arithmetic"), EXAMINED)
def test_batched_variants_pass_the_examination(objective: str, optimizer: str, arithmetic: str) -> None:
    """Each batched variant is verified briefly with all that is asked beside the run itself: probes, recording, other problems."""
    examine_variants(BATCHED, problem_of(objective, optimizer, arithmetic), Population.initialise(1000, seed=11))


@pytest.mark.parametrize(("objective", "optimizer"), list(product(OBJECTIVES, OPTIMIZERS)))
def test_eager_passes_the_examination(objective: str, optimizer: str) -> None:
    """The listing as it is, likewise."""
    examine_variants(("eager",), problem_of(objective, optimizer, "native"), Population.initialise(20, seed=12))


def test_compiled_passes_the_examination() -> None:
    """The same under the compiler, likewise: for one problem, as it compiles each for long."""
    examine_variants(("compiled",), problem_of("detached", "adam", "native"), Population.initialise(20, seed=12))


@pytest.mark.parametrize("n", [1, 7, 30])
@pytest.mark.parametrize(("objective", "optimizer"), list(product(OBJECTIVES, OPTIMIZERS)))
def test_one_by_one_variants_are_identical(objective: str, optimizer: str, n: int) -> None:
    """`eager` and `compiled` converge identically for every objective and optimiser."""
    check_variants(ONE_BY_ONE, problem_of(objective, optimizer, "native"), Population.initialise(n, seed=12))


@pytest.mark.examination
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_whole_examination_is_passed(objective: str) -> None:
    """The variants that are quickest to examine pass all of it, as `targetrl verify` has it."""
    examine_variants(("batched", "fused"), problem_of(objective, "adam", "native"), Population.initialise(100, seed=11))


def test_noise_beside_moments_of_the_weight_is_identical() -> None:
    """With x other than 1 every variant draws and weighs its noise as the oracle does."""
    check_variants((*ONE_BY_ONE, *BATCHED), problem_of("reinforce", "adam", "native", x=0.3), Population.initialise(48, seed=13))


@pytest.mark.parametrize("x", [-1.7, 0.0, 0.3])
@pytest.mark.parametrize("objective", ["detached", "pathwise"])
def test_other_inputs_are_identical(objective: str, x: float) -> None:
    """With x other than 1 weight and bias have moments of their own, and every variant still agrees where nothing is drawn."""
    for arithmetic in ARITHMETICS:
        check_variants((*ONE_BY_ONE, *BATCHED), problem_of(objective, "adam", arithmetic, x=x), Population.initialise(48, seed=13))


@pytest.mark.parametrize("arithmetic", ARITHMETICS)
@pytest.mark.parametrize("own_betas", [False, True])
def test_constants_per_policy_are_identical(arithmetic: str, own_betas: bool) -> None:  # noqa: FBT001 — a parameter of pytest's
    """Each policy trains by its own constants, in every variant that can take them."""
    n = 48
    spread = torch.linspace(0.0, 1.0, n)
    constants = {"target": 0.2 + 0.7 * spread, "lr": 0.03 + 0.1 * spread, "k": 3 + 4 * spread, "x": 0.5 + spread}
    if own_betas:
        constants |= {"beta1": 0.8 + 0.1 * spread, "beta2": 0.99 + 0.009 * spread, "eps": 1e-8 + 1e-7 * spread}
    population = Population.initialise(n, seed=14)
    # Betas of their own change what the optimiser does, and nothing else.
    for objective in ("detached",) if own_betas else ("detached", "pathwise"):
        check_variants((*ONE_BY_ONE, *BATCHED), problem_of(objective, "adam", arithmetic, **constants), population)


@pytest.mark.parametrize("variant", [*ONE_BY_ONE, *BATCHED])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_going_on_is_the_same_as_not_stopping(variant: str, optimizer: str) -> None:
    """30 steps and then 20 end at the same bits as 50, moments and bias corrections included."""
    population = Population.initialise(16, seed=15)
    whole = train(problem_of("pathwise", optimizer, "native"), population, variant=variant).population
    first = train(problem_of("pathwise", optimizer, "native", steps=30), population, variant=variant).population
    second = train(problem_of("pathwise", optimizer, "native", steps=20), first, variant=variant).population
    assert second.age == 50
    assert same_bits(whole, second)


@pytest.mark.parametrize("own_betas", [False, True])
def test_going_on_is_portable(own_betas: bool) -> None:  # noqa: FBT001 — a parameter of pytest's
    """In portable arithmetic too, whether policies share their betas or have their own."""
    constants = {"beta2": torch.linspace(0.9, 0.999, 16)} if own_betas else {}
    population = Population.initialise(16, seed=15)
    for variant in ("batched", "batched-compiled", "fused"):
        whole = train(problem_of("detached", "adam", "portable", **constants), population, variant=variant).population
        first = train(problem_of("detached", "adam", "portable", steps=30, **constants), population, variant=variant).population
        second = train(problem_of("detached", "adam", "portable", steps=20, **constants), first, variant=variant).population
        assert same_bits(whole, second)


def test_going_on_with_another_input_parts_the_moments() -> None:
    """A population trained with x = 1 goes on with x = 2 as the oracle does, though its moments were shared."""
    first = train(Problem(steps=10), Population.initialise(32, seed=16), variant="batched").population
    assert first.shares_moments
    check_variants((*ONE_BY_ONE, *BATCHED), Problem(x=2.0), first)
    assert first.shares_moments


@pytest.mark.parametrize("variant", [*ONE_BY_ONE, *BATCHED])
def test_the_population_given_is_left_alone(variant: str) -> None:
    """Training never changes the population it is given, and its result shares no memory with it."""
    population = Population.initialise(16, seed=17)
    before = population.clone()
    trained = train(Problem(), population, variant=variant).population
    assert same_bits(before, population)
    assert population.age == 0
    for tensor in trained.tensors().values():
        tensor.fill_(9.0)
    assert same_bits(before, population)


@pytest.mark.parametrize("variant", [*ONE_BY_ONE, *BATCHED])
def test_history_holds_every_output(variant: str) -> None:
    """A recorded run has the output of every policy before each update, the first being σ(w·x + b) of the start."""
    population = Population.initialise(20, seed=18)
    run = train(Problem(steps=5), population, variant=variant, record=True)
    assert run.history is not None
    assert run.history.shape == (5, 20)
    assert torch.allclose(run.history[0], torch.sigmoid(population.weight + population.bias), atol=1e-6)
    assert run.history.isfinite().all()
    assert train(Problem(steps=5), population, variant=variant).history is None


def test_outputs_and_outcomes_belong_to_the_trained_population() -> None:
    """`outputs` are σ(w·x + b) after the last update, and `outcomes` counts each policy once."""
    run = train(Problem(objective="pathwise"), Population.initialise(1000), variant="batched")
    assert torch.allclose(run.outputs, torch.sigmoid(run.population.weight + run.population.bias), atol=1e-6)
    assert sum(run.outcomes) == 1000
    assert run.outcomes.at_target > 900


def test_what_a_variant_cannot_do_has_a_reason() -> None:
    """A variant that cannot run says why, and asking for it all the same is refused with that reason."""
    reasons = {variant.name: variant.unsupported for variant in VARIANTS}
    per_policy = Problem(lr=[0.1, 0.2])
    assert "torch.optim takes no per-policy constants: lr" in str(reasons["batched-vmap"](per_policy, CPU, 2))
    assert "CUDA graphs do not exist on cpu" in str(reasons["batched-graphed"](Problem(), CPU, 2))
    assert "limited to 100,000 policy-steps" in str(reasons["eager"](Problem(), CPU, 10_000))
    assert "not portable" in str(reasons["compiled"](Problem(arithmetic="portable"), CPU, 1))
    with pytest.raises(UsageError, match="variant batched-graphed cannot run here: CUDA graphs do not exist on cpu"):
        train(Problem(), Population.initialise(2), variant="batched-graphed")
    with pytest.raises(UsageError, match="variant is 'fastest'; it must be one of eager, compiled"):
        train(Problem(), Population.initialise(2), variant="fastest")


def test_auto_takes_the_fastest_that_can_run() -> None:
    """`auto` names what it took, and takes what the constants allow."""
    assert train(Problem(steps=2), Population.initialise(32)).variant == "fused"


def test_compiling_once_serves_all_numbers() -> None:
    """Other constants, learning rates included, compile nothing new."""
    population = Population.initialise(32)
    train(Problem(), population, variant="batched-compiled")
    train(Problem(), Population.initialise(2), variant="compiled")
    with torch.compiler.set_stance("fail_on_recompile"):
        for lr in (0.01, 0.2, 0.3):
            train(Problem(lr=lr, target=0.6, k=2.0), population, variant="batched-compiled")
            train(Problem(lr=lr, target=0.6, k=2.0), Population.initialise(2), variant="compiled")


def test_many_sizes_compile_without_end() -> None:
    """Ten population sizes in one process are ten graphs, past the eight that Dynamo keeps for one function."""
    for n in range(16, 16 * 11, 16):
        assert train(Problem(steps=1), Population.initialise(n), variant="batched-compiled").population.n == n


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("own_betas", [False, True])
def test_a_captured_run_reads_what_it_is_given(optimizer: str, own_betas: bool, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: FBT001
    """What `batched-graphed` replays depends on nothing but the memory that is loaded before: played on the CPU, it is `batched`."""

    def played(run: Callable[[], State], _device: torch.device) -> tuple[Callable[[], None], State]:
        kept = run()

        def replay() -> None:
            for old, new in zip(kept, run(), strict=True):
                if old is not None and new is not None:
                    old.copy_(new)

        return replay, kept

    monkeypatch.setattr(batched_graphed, "captured_run", played)
    n = 16
    constants = {"beta2": torch.linspace(0.9, 0.999, n)} if own_betas else {}
    problem = problem_of("pathwise", optimizer, "native", steps=20, **constants)
    graphed = batched_graphed.prepare(problem, CPU, n)
    population = Population.initialise(n, seed=19)
    for _ in range(3):  # fresh, then older: the same graph serves every age
        history = History.empty(20, n, CPU)
        expected = train(problem, population, variant="batched", record=True)
        assert same_bits(graphed(population.clone(), None), expected.population)
        assert same_bits(graphed(population.clone(), history), expected.population)
        assert expected.history is not None
        assert torch.equal(history.outputs, expected.history)
        population = expected.population


def test_a_graph_belongs_to_its_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run is captured, and each time replayed, with its own device the current one."""
    current: list[torch.device | None] = [None]
    seen: list[tuple[str, torch.device | None]] = []

    @contextlib.contextmanager
    def on(device: torch.device) -> Iterator[None]:
        current.append(device)
        yield
        current.pop()

    def shown(name: str) -> Callable[..., mock.MagicMock]:
        def call(*_: object) -> mock.MagicMock:
            seen.append((name, current[-1]))
            return mock.MagicMock(replay=lambda: seen.append(("replay", current[-1])))

        return call

    monkeypatch.setattr(torch.cuda, "device", on)
    for name in ("Stream", "stream", "current_stream", "CUDAGraph", "graph"):
        monkeypatch.setattr(torch.cuda, name, shown(name))
    second = torch.device("cuda:1")
    replay, _ = batched_graphed.captured_run(lambda: State(*[torch.zeros(1)] * len(State._fields)), second)
    replay()
    assert {name for name, _ in seen} >= {"Stream", "graph", "replay"}
    assert {device for _, device in seen} == {second}
