"""The harness itself: the clock's self-test, rounds, cold starts, a step at a time, memory."""

import itertools
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import msgspec
import pytest
import torch

from bench import session
from bench.evidence.files import ROOT
from bench.evidence.schema import ClockTest
from bench.timing import child, clock, fresh
from bench.timing.clock import clock_test
from bench.timing.construction import check_initialised
from bench.timing.environment import Watch
from bench.timing.fresh import Caches
from bench.timing.gate import Gate
from bench.timing.guards import NotIdenticalError
from bench.timing.memory import LEAST_SAMPLED, TRIM, row_growth
from bench.timing.once import Once
from bench.timing.rounds import KNOWN, Rounds
from bench.timing.stepwise import stepwise
from targetrl_core import VARIANTS, Population, Problem, certification, population, train
from targetrl_core.certification import certify
from targetrl_core.convergence import check
from targetrl_core.history import History
from targetrl_core.listing.defaults import Objective
from targetrl_core.listing.start import linear_start
from targetrl_core.names import Arithmetic
from targetrl_core.variants import Train, find_variant
from targetrl_core.variants.batched import BATCHED
from tests.cheats import CHEATS

CPU = torch.device("cpu")
CLOCK = ClockTest(resolution_seconds=1e-9, work=[1, 4], seconds=[0.004, 0.016], unsynchronised_seconds=0.016, failures=[])


class ScriptedDevice:
    """A device whose time goes on by what it is given to do: launching takes a part of the work's time, waiting for it the rest."""

    def __init__(self) -> None:
        self.now = self.queued = 0.0

    def look(self) -> float:
        """A clock that waits for nothing."""
        self.now += 1e-7
        return self.now

    def wait(self) -> float:
        """A clock that waits for the device."""
        self.now, self.queued = self.now + self.queued, 0.0
        return self.look()

    def launch(self, count: int) -> None:
        """Some portions of work."""
        self.now += count * 0.0005
        self.queued += count * 0.002


@pytest.fixture
def scripted_device(monkeypatch: pytest.MonkeyPatch) -> ScriptedDevice:
    """What the self-test measures on, in place of this machine."""
    device = ScriptedDevice()
    monkeypatch.setattr(clock, "time", SimpleNamespace(perf_counter=device.look))
    monkeypatch.setattr(clock, "synchronized_clock", device.wait)
    monkeypatch.setattr(clock, "_portions", lambda *_: device.launch)
    return device


def test_the_clock_is_tested_on_this_machine() -> None:
    """The suites' own clock has steps far below a portion of work, and work takes time by it; how evenly is the machine's affair."""
    test = clock_test(CPU)
    assert test.work == [1, 4]
    assert min(*test.seconds, test.unsynchronised_seconds) > 0
    assert test.resolution_seconds < 1e-5


def test_an_honest_clock_passes(scripted_device: ScriptedDevice) -> None:
    """A clock that waits measures four times the work as four times as long."""
    test = clock_test(CPU, scripted_device.wait)
    assert test.failures == []
    assert test.seconds == pytest.approx([0.0025, 0.01], rel=1e-3)


@pytest.mark.parametrize(
    ("name", "failure"), [("counts looks", "4 × the work took 1.00 × the time"), ("coarse", "the clock's smallest step is ")]
)
def test_a_clock_that_does_not_measure_fails(name: str, failure: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that goes on by looks, or in large steps, is found out and said why."""
    monkeypatch.setattr(clock, "ATTEMPTS", 1)
    looks = itertools.count()
    faulty = (lambda: next(looks) * 1e-3) if name == "counts looks" else (lambda: time.perf_counter() // 0.01 * 0.01)
    assert any(failure in reason for reason in clock_test(CPU, faulty).failures)


def test_a_clock_under_which_work_seems_short_fails(scripted_device: ScriptedDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that goes slower than the one that waits for nothing is found out."""
    monkeypatch.setattr(clock, "time", SimpleNamespace(perf_counter=lambda: 9.0 * scripted_device.look()))
    assert any("work that was waited for" in reason for reason in clock_test(CPU, scripted_device.wait).failures)


def test_a_clock_that_stops_too_early_fails(scripted_device: ScriptedDevice) -> None:
    """A clock that stops before the device is done is found out beside the one that waits, whatever its proportions are."""
    assert any("by the clock that waits for every device" in reason for reason in clock_test(CPU, scripted_device.look).failures)


def test_the_clock_that_times_is_the_one_that_is_tested(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row with a timer of its own needs that timer's self-test, and a device's file tells the worst."""
    tested: list[object] = []

    def script(_device: torch.device, clock: object) -> ClockTest:
        tested.append(clock)
        return CLOCK if clock is time.perf_counter else msgspec.structs.replace(CLOCK, failures=["it stands still"])

    monkeypatch.setattr(session, "clock_test", script)
    ours = session.Session(("cpu",), None, None, quick=False)
    benchmark = mock.Mock(enabled=True, extra_info={}, stats=None, has_error=False, _timer=time.monotonic)
    with pytest.raises(pytest.fail.Exception, match="withheld: the clock failed its test: it stands still"):
        Gate(benchmark, CPU, Once(), ours.clock, seconds=0.1).train("steady state", BATCHED, Problem(), 10)
    ours.clock(CPU, time.perf_counter)
    ours.clock(CPU, time.perf_counter)
    assert tested == [time.monotonic, time.perf_counter]
    assert ours.worst_clock("cpu").failures == ["it stands still"]


def test_the_environment_is_looked_at() -> None:
    """A session knows how long it took and what share of the cores others had; nothing is told that the system does not tell."""
    watch = Watch()
    sum(range(10**6))
    environment = watch.finish("cpu")
    assert environment.seconds > 0
    assert environment.busy_elsewhere is not None
    assert 0 <= environment.busy_elsewhere <= 1.5
    assert environment.gpu_processes is None


@pytest.mark.parametrize("n", [50, 5000])
@pytest.mark.parametrize(("objective", "arithmetic"), [("detached", "native"), ("detached", "portable"), ("reinforce", "native")])
def test_the_known_policies_of_a_round_are_checked_where_they_stand(n: int, objective: Objective, arithmetic: Arithmetic) -> None:
    """An honest result of a round passes, whichever policies are known; with one of those a little off it does not."""
    problem = Problem(objective=objective, arithmetic=arithmetic, steps=10)
    begun = Rounds.of(problem, n, 3).draw()
    assert begun.population.n == n
    assert len(begun.expectation.outcome) == min(n, KNOWN)
    trained = BATCHED.prepare(problem, CPU, n)(begun.population.clone(), None)
    assert check(begun.expectation, trained).identical
    place = 7 if begun.expectation.policies is None else int(begun.expectation.policies[7])
    trained.weight[place] += 0.01
    assert not check(begun.expectation, trained).identical


def test_no_policy_is_trained_in_two_rounds() -> None:
    """As many rounds as were asked for have no policy in common: what was trained before is of no use."""
    rounds = Rounds.of(Problem(), 3000, 5)
    begun = torch.cat([rounds.draw().population.weight for _ in range(5)])
    assert len(begun.unique()) > 0.99 * len(begun)  # of 15,000 numbers of 24 bits some are equal by chance


def test_seeds_are_told_where_noise_is_drawn_from_them_alone() -> None:
    """A variant that needs no seeds does not learn from them which policies it is about to train; under `reinforce` they are drawn anew."""
    for _ in range(2):
        assert Rounds.of(Problem(steps=2), 2000, 1).draw().population.seeds == range(2000)
    first, second = (Rounds.of(Problem(objective="reinforce", steps=2), 2000, 1).draw().population.seeds for _ in range(2))
    assert isinstance(first, torch.Tensor)
    assert isinstance(second, torch.Tensor)
    assert not torch.isin(first, second).any()


def test_steps_to_target_are_those_of_a_recorded_run() -> None:
    """Under `pathwise` 95 % of the policies are at target after some 50 steps; under `detached` the question is not asked."""
    steps = Once().steps_to_target(Problem(objective="pathwise"))
    assert steps is not None
    assert 30 <= steps <= 70
    assert Once().steps_to_target(Problem()) is None


@pytest.mark.parametrize("name", ["compiled", "batched-vmap", "batched", "batched-compiled"])
def test_a_step_at_a_time_is_the_same_training(name: str) -> None:
    """A variant called once a step, its output looked at each time, converges identically, and records what it puts out."""
    problem, start, history = Problem(), Population.initialise(3), History.empty(50, 3, CPU)
    trained = stepwise(find_variant(name)).prepare(problem, CPU, 3)(start.clone(), history)
    assert check(certify(problem, start), trained).identical
    expected = train(problem, start, variant="batched", record=True).history
    assert expected is not None
    assert torch.allclose(history.outputs, expected, atol=1e-5)


def test_a_step_at_a_time_reads_each_output(monkeypatch: pytest.MonkeyPatch) -> None:
    """Timed, each step is handed one row to record into, and what stands there is read before the next step."""
    plain, read, rows, values = BATCHED, torch.Tensor.item, list[History](), list[float]()

    def prepare(problem: Problem, device: torch.device, n: int) -> Train:
        train_step = plain.prepare(problem, device, n)

        def train(population: Population, history: History | None) -> Population:
            assert history is not None
            assert history.outputs.shape == (1, n)
            rows.append(history)
            return train_step(population, history)

        return train

    run = stepwise(plain._replace(prepare=prepare)).prepare(Problem(steps=7), CPU, 1)
    del rows[:]  # those of the warm-up
    monkeypatch.setattr(torch.Tensor, "item", lambda tensor: values.append(read(tensor)))
    run(Population.initialise(1), None)
    monkeypatch.undo()
    assert len(rows) == len(set(values)) == 7


def test_every_policy_that_is_made_is_checked() -> None:
    """One policy of very many with other bits, wherever it stands, is found."""
    made = Population.initialise(300_000, seed=5)
    check_initialised(made, 5)
    made.bias[123_456] = torch.nextafter(made.bias[123_456], torch.tensor(2.0))
    with pytest.raises(NotIdenticalError, match=r"policies \d+ … \d+ of seed 5 have other bits"):
        check_initialised(made, 5)


def test_making_policies_wrongly_throughout_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is wrong in every block the same way is found beside nn.Linear itself."""
    right = linear_start
    monkeypatch.setattr(population, "linear_start", lambda seed, n: right(seed + 1, n))
    with pytest.raises(NotIdenticalError, match=r"policy \d+ of seed 5 begins at "):
        check_initialised(Population.initialise(1000, seed=5), 5)


HOLD = """
import time, torch
from bench.timing.memory import peak_growth

def hold():
    tensor = torch.ones(16 * 2**20)
    time.sleep(0.5)
    del tensor

print(peak_growth(lambda: None, torch.device("cpu")), peak_growth(hold, torch.device("cpu")))

def hold_many():
    tensors = [torch.ones(2**20) for _ in range(16)]
    time.sleep(0.5)

hold_many()
last = [torch.ones(2**20)]  # above what is freed, so that the heap does not shrink by itself
hold_many()
print(peak_growth(hold_many, torch.device("cpu")))
"""


def test_memory_growth_is_seen() -> None:
    """A call that holds 64 MiB for a while grows by about as much, also when as much was freed before; one that holds none by none."""
    ran = subprocess.run([sys.executable, "-c", HOLD], cwd=ROOT, capture_output=True, text=True, check=True)
    nothing, held, again = map(int, ran.stdout.split())
    assert 56 * 2**20 < held < 96 * 2**20
    assert nothing < 8 * 2**20
    assert TRIM is None or 56 * 2**20 < again < 96 * 2**20


def test_memory_of_a_row_is_told_where_it_tells_something() -> None:
    """Of a million policies on, a call's growth is told; of fewer it is left open."""
    population = Population.initialise(LEAST_SAMPLED)
    train = BATCHED.prepare(Problem(steps=5), CPU, LEAST_SAMPLED)
    assert row_growth(lambda: train(population, None), CPU, LEAST_SAMPLED - 1) is None
    grown = row_growth(lambda: train(population, None), CPU, LEAST_SAMPLED)
    assert TRIM is None or (grown is not None and 16 * LEAST_SAMPLED < grown < 200 * LEAST_SAMPLED)


def test_a_fresh_process_tells_its_phases(tmp_path: Path) -> None:
    """Import, prepare, both calls and memory come from the process; what it trained is checked by its parent.

    Its problem keeps a baseline and draws noise from seeds.
    """
    rounds = Rounds.of(Problem(objective="reinforce", steps=5), 50, child.MOST_CALLS + 2)
    phases, identity = fresh.Process.start(CPU, BATCHED, rounds, Caches(tmp_path).of("batched", None)).finish()
    assert phases.import_seconds > 0
    assert 2 <= len(phases.steady_seconds) <= child.MOST_CALLS
    assert min(phases.steady_seconds) > 0
    assert identity.identical
    assert "baseline" in identity.ulp


def test_a_fresh_process_that_trains_wrongly_is_rejected() -> None:
    """What a fresh process trained is another problem's result: no row."""
    problem = Problem(steps=5)
    begun = [Rounds.of(problem, 50, 1).draw() for _ in range(2)]
    trained = [BATCHED.prepare(problem, CPU, 50)(drawn.population.clone(), None) for drawn in begun]
    process = fresh.Process(mock.Mock(), mock.Mock(), problem, begun)
    assert process.check(trained).identical
    expectation = certify(problem.replace(lr=0.1001), begun[0].population)
    with pytest.raises(NotIdenticalError, match="out of bounds"):
        replace(process, begun=[replace(begun[0], expectation=expectation), begun[1]]).check(trained)


def test_a_fresh_process_that_fails_says_why(tmp_path: Path) -> None:
    """A process that ends early is a reason with its last words."""
    cheat = CHEATS[0]  # a variant that the process does not know
    with pytest.raises(fresh.ProcessFailedError, match=r"ended with exit code 1: .*variant is 'cheat-skipped-step'"):
        fresh.Process.start(CPU, cheat, Rounds.of(Problem(), 10, 1), tmp_path)


def test_caches_are_empty_or_filled(tmp_path: Path) -> None:
    """An empty cache is a new folder each time, a warm one the last that was used."""
    caches = Caches(tmp_path)
    first, second = caches.of("compiled", "empty"), caches.of("compiled", "empty")
    assert first != second
    assert caches.of("compiled", "warm") == second


def test_every_variant_has_a_place_in_the_cold_starts() -> None:
    """No variant is left out of the question what starting costs."""
    from bench.test_cold_start import CASES

    assert {name for name, _ in CASES} == {variant.name for variant in VARIANTS}


def test_a_failed_clock_withholds_every_row_of_its_device() -> None:
    """No row of a device whose clock failed its test has a number, and each says why."""
    failed = msgspec.structs.replace(CLOCK, failures=["it stands still"])
    benchmark = mock.Mock(enabled=True, extra_info={}, stats=None, has_error=False)
    gate = Gate(benchmark, CPU, Once(), lambda _device, _timer: failed, seconds=0.1)
    with pytest.raises(pytest.fail.Exception, match="withheld: the clock failed its test: it stands still"):
        gate.train("steady state", BATCHED, Problem(), 10)
    assert benchmark.has_error
    assert benchmark.extra_info["variant"] == "batched"


def test_a_row_that_cannot_fit_is_not_measured() -> None:
    """A population for which memory is known to lack is not begun with: the row says how much it needs and how much there is."""
    benchmark = mock.Mock(enabled=True, extra_info={}, stats=None, has_error=False)
    gate = Gate(benchmark, CPU, Once(), lambda _device, _timer: CLOCK, seconds=0.1)
    with pytest.raises(
        pytest.skip.Exception, match=r"not measured: 10,000,000,000,000 policies need about .* GiB of the host, and .* free"
    ):
        gate.train("steady state", BATCHED, Problem(), 10**13)


def test_a_row_of_very_many_policies_records_a_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row above the limit passes the gate, and no history is larger than the limit."""
    monkeypatch.setattr(certification, "CHECK_LIMIT", 500)
    watched = mock.Mock(wraps=History.empty)
    monkeypatch.setattr(History, "empty", watched)
    benchmark = mock.Mock(enabled=True, extra_info={}, stats=None, has_error=False, _timer=time.perf_counter)
    benchmark.pedantic = lambda run, setup, teardown, rounds: [teardown(*args) for args in [setup()[0]] if run(*args) is None and rounds]
    Gate(benchmark, CPU, Once(), lambda _device, _timer: CLOCK, seconds=0.01).train("steady state", BATCHED, Problem(), 20_000)
    assert benchmark.extra_info["identity"] == "bounded"
    assert [call.args[1] for call in watched.call_args_list] == [500]
