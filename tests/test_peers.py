"""Peers: the same step by other libraries, held to the same identity. A peer that is not installed is skipped, with the reason."""

import json
import os
import subprocess
import sys
from functools import partial
from itertools import product
from pathlib import Path

import pytest
import torch

from bench.peers import PEERS, jax_peers, numpy_chunks, requirements
from bench.peers.numpy_chunks import NUMPY
from bench.peers.requirements import missing, missing_jax, versions
from targetrl_core import Population, Problem, Variant, train, verify
from targetrl_core.certification import same_bits
from targetrl_core.history import History
from targetrl_core.names import OPTIMIZERS
from targetrl_core.step import begin, rule_for
from targetrl_core.training import prepared

ROOT = Path(__file__).parent.parent
CPU = torch.device("cpu")
OBJECTIVES = ("detached", "pathwise")
KINDS = list(product(OBJECTIVES, OPTIMIZERS))


INTERPRETED = jax_peers.pallas_on(("cpu",), interpret=True)
HERE = [*(peer for peer in PEERS if peer.name != INTERPRETED.name), INTERPRETED]


@pytest.fixture(params=HERE, ids=[peer.name for peer in HERE])
def peer(request: pytest.FixtureRequest) -> Variant:
    """Each peer that can run on the CPU; the kernel of Pallas interpreted."""
    chosen: Variant = request.param
    reason = chosen.unsupported(Problem(), CPU, 1)
    if reason is not None:
        pytest.skip(reason)
    return chosen


def problem_of(objective: str, optimizer: str, **constants: object) -> Problem:
    """A problem whose learning rate suits its optimiser."""
    constants.setdefault("lr", 0.1 if optimizer == "adam" else 0.5)
    return Problem(objective=objective, optimizer=optimizer, **constants)  # type: ignore[arg-type]


@pytest.mark.parametrize("n", [1, 7, 1000])
@pytest.mark.parametrize(("objective", "optimizer"), KINDS)
def test_peers_are_identical(peer: Variant, objective: str, optimizer: str, n: int) -> None:
    """Each peer converges identically for every objective, optimiser and size, its recorded run to the same bits."""
    report = verify(problem_of(objective, optimizer), Population.initialise(n, seed=21), variant=peer)
    assert report.identical, report.reasons
    assert report.level == "bounded"


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_peers_take_constants_per_policy(peer: Variant, optimizer: str) -> None:
    """Each policy trains by its own constants; betas of its own are refused with a reason."""
    n = 96
    spread = torch.linspace(0.0, 1.0, n)
    constants = {
        "target": 0.2 + 0.7 * spread,
        "lr": 0.03 + 0.1 * spread,
        "k": 3 + 4 * spread,
        "x": 0.5 + spread,
        "eps": 1e-8 + 1e-7 * spread,
    }
    for objective in OBJECTIVES:
        report = verify(problem_of(objective, optimizer, **constants), Population.initialise(n, seed=14), variant=peer)
        assert report.identical, report.reasons
    assert "does not draw the noise of reinforce" in str(peer.unsupported(Problem(objective="reinforce"), CPU, n))
    assert "beta2 must be one number" in str(peer.unsupported(Problem(beta2=0.9 + 0.09 * spread), CPU, n))


@pytest.mark.parametrize("x", [-1.7, 0.0, 0.3])
def test_peers_take_other_inputs(peer: Variant, x: float) -> None:
    """With x other than 1 weight and bias have moments of their own."""
    for objective in OBJECTIVES:
        report = verify(problem_of(objective, "adam", x=x), Population.initialise(48, seed=13), variant=peer)
        assert report.identical, report.reasons


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_peers_go_on_where_they_stopped(peer: Variant, optimizer: str) -> None:
    """A population that has trained before goes on as the oracle does; 30 steps and then 20 are 50."""
    start = Population.initialise(40, seed=15)
    first = train(problem_of("pathwise", optimizer, steps=30), start, variant="batched").population
    rest = problem_of("pathwise", optimizer, steps=20)
    assert verify(rest, first, variant=peer).identical
    cut = prepared(peer, problem_of("pathwise", optimizer, steps=30), CPU, 40)(start.clone(), None)
    second = prepared(peer, rest, CPU, 40)(cut.clone(), None)
    whole = prepared(peer, problem_of("pathwise", optimizer), CPU, 40)(start.clone(), None)
    assert second.age == 50
    for name, tensor in whole.tensors().items():
        assert torch.allclose(tensor, second.tensors()[name], rtol=1e-4, atol=1e-6), name


def test_peers_part_the_moments(peer: Variant) -> None:
    """A population trained with x = 1 goes on with x = 2, though its moments were shared; and the one given keeps sharing them."""
    first = train(Problem(steps=10), Population.initialise(32, seed=16), variant="batched").population
    assert first.shares_moments
    assert verify(Problem(x=2.0), first, variant=peer).identical
    parted = train(Problem(steps=10, x=2.0), Population.initialise(32, seed=16), variant="batched").population
    assert not parted.shares_moments
    assert verify(Problem(), parted, variant=peer).identical


def test_a_slice_of_a_population_is_trained_alone(peer: Variant) -> None:
    """Policies whose memory begins anywhere, and lies between others, come to the same bits, and the others stay what they were."""
    whole = Population.initialise(100, seed=17)
    run = prepared(peer, Problem(), CPU, 9)
    expected = run(whole.slice(3, 12).clone(), None)
    kept = whole.clone()
    history = History.empty(50, 9, CPU)
    assert same_bits(run(whole.slice(3, 12), history), expected)
    assert torch.allclose(history.outputs[0], torch.sigmoid(history.logits[0]), atol=1e-6)
    assert same_bits(whole.slice(12, 100), kept.slice(12, 100))
    gaps = whole.map(lambda tensor: torch.stack((tensor, tensor), 1)[:, 0]).slice(20, 29)
    assert same_bits(run(gaps.clone(), None), run(gaps, None))


def test_what_comes_back_is_plain_memory_of_its_own(peer: Variant) -> None:
    """The trained population is of writable tensors that a later run of the same peer leaves alone."""
    run = prepared(peer, Problem(), CPU, 50)
    first = run(Population.initialise(50, seed=18), None)
    kept = first.clone()
    run(Population.initialise(50, seed=19), None)
    assert same_bits(first, kept)
    for tensor in first.tensors().values():
        assert type(tensor) is torch.Tensor
        tensor.fill_(9.0)


def test_chunks_of_numpy_come_to_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether `numpy` trains a population at once or in chunks that do not come out even, the bits are the same."""
    start = Population.initialise(1000, seed=20)
    whole = NUMPY.prepare(Problem(), CPU, 1000)(start.clone(), None)
    monkeypatch.setattr(numpy_chunks, "CHUNK", 300)
    monkeypatch.setattr(numpy_chunks, "SMALLEST", 300)
    assert [part.stop for part in numpy_chunks.cut(1000, 2)] == [250, 500, 750, 1000]
    assert len(numpy_chunks.cut(599, 2)) == 2
    assert len(numpy_chunks.cut(299, 2)) == 1
    history = History.empty(50, 1000, CPU)
    assert same_bits(whole, NUMPY.prepare(Problem(), CPU, 1000)(start.clone(), history))
    assert history.outputs.isfinite().all()


def test_what_a_peer_cannot_do_has_a_reason() -> None:
    """What a peer cannot run has a reason, in one line."""
    for variant in PEERS:
        reason = variant.unsupported(Problem(arithmetic="portable"), CPU, 1)
        assert reason is not None
        assert "\n" not in reason
        assert variant.unsupported(Problem(), torch.device("mps"), 1) is not None


def test_a_peer_that_is_not_installed_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where its package is missing, a peer names the command that installs it, and nothing is imported to find out."""
    monkeypatch.setattr(requirements, "find_spec", lambda _name: None)
    reasons = {variant.name: variant.unsupported(Problem(), CPU, 1) for variant in PEERS}
    assert reasons["numpy"] is None
    assert reasons["numba"] == "numba is not installed: pip install '.[peers]'"
    assert reasons["jax-pallas"] == "jax-pallas runs on cuda alone"
    assert reasons["jax-scan"] == reasons["jax-grad"] == "jax is not installed: pip install '.[peers]'"
    monkeypatch.setattr(requirements, "find_spec", lambda name: True if name == "jax" else None)
    assert missing("jax") is None
    assert missing_jax(torch.device("cuda")) == "jax is installed without CUDA: pip install 'jax[cuda13]'"


def test_peers_are_imported_where_they_are_prepared() -> None:
    """Looking at the peers, and asking what they can run, imports neither jax nor numba."""
    code = (
        "import sys, torch; from bench.peers import PEERS; from targetrl_core import Problem; "
        "[peer.unsupported(Problem(), torch.device('cpu'), 1) for peer in PEERS]; print({'jax', 'numba'} & set(sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.stdout == "set()\n", ran.stderr


def run_suite(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run pytest on the project, under a scripted clock."""
    plugins = ("-p", "tests.scripted", "-p", "tests.brief", "-p", "no:cacheprovider")
    command = [sys.executable, "-m", "pytest", *plugins, "--benchmark-timer=tests.scripted.clock"]
    return subprocess.run(
        [*command, "--device", "cpu", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"COLUMNS": "200"},
    )


def test_peers_stand_in_the_same_tables(tmp_path: Path) -> None:
    """With --peers their rows are timed through the gate, saved in the same file with their packages' versions, and shown in the tables."""
    chosen = "detached-native-1- and not compiled and not eager and not vmap and not fused"
    ran = run_suite("--benchmark-only", "--peers", "--label", "here", f"--results={tmp_path}", "-k", chosen)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    content = json.loads((tmp_path / "here-cpu.json").read_text())
    rows = [row["extra_info"]["variant"] for row in content["benchmarks"]]
    here = [peer.name for peer in PEERS if peer.unsupported(Problem(), CPU, 1) is None]
    assert [name for name in rows if name in here] == here
    assert content["targetrl"]["fingerprint"]["packages"].items() >= versions().items()
    table = (tmp_path / "README.md").read_text().partition("policy-steps per second\n")[2].partition("###")[0]
    assert all(f"| `{name}`" in table for name in ["batched", *(peer.name for peer in PEERS)])


def test_without_the_option_no_peer_is_there() -> None:
    """Without --peers no row of a peer is collected, so that none is missed in the tables."""
    collected = run_suite("bench/test_steady_state.py", "--collect-only", "-q", "--benchmark-only").stdout
    assert "-batched]" in collected
    assert not any(f"-{peer.name}]" in collected for peer in PEERS)


@pytest.mark.skipif(missing("jax") is not None, reason="jax is not installed")
@pytest.mark.parametrize("record", [False, True])
@pytest.mark.parametrize(("objective", "optimizer"), KINDS)
def test_the_kernel_is_lowered_for_cuda(objective: str, optimizer: str, record: bool) -> None:  # noqa: FBT001 — a parameter of pytest's
    """Without a GPU, too, jax makes of the kernel what Triton takes, writing the state over the one it is given."""
    import jax

    from bench.peers import arrays
    from bench.peers.xla.kernel import run

    problem, population = problem_of(objective, optimizer, x=2.0), Population.initialise(1000)
    rule = rule_for(problem, population)
    state = arrays.views(begin(rule, population, problem.constants(CPU)))
    rows = torch.zeros(problem.steps, 2).numpy()
    kernel = jax.jit(partial(run, problem.steps, interpret=False), static_argnums=(0, 1), donate_argnums=(2,))
    lowered = kernel.trace(rule, record, state, arrays.constants(problem), rows).lower(lowering_platforms=("cuda",)).as_text()
    assert "triton" in lowered
    assert lowered.count("tf.aliasing_output") == sum(tensor is not None for tensor in state)
