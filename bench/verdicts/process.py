"""One fresh process: its first side alone, then both sides side by side, every call checked. ``python -m bench.verdicts.process``."""

import gc
import math
import random
import statistics
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import torch

from bench.evidence.schema import AbsenceKind
from bench.limit.ceiling import Ceiling
from bench.timing.cases import SuiteRow
from bench.timing.returned import numbers_of
from bench.timing.rounds import Rounds, cell_of
from bench.verdicts.messages import Missing, ProcessTask, ProcessTimes, RowTask, RowTimes
from bench.verdicts.sides import Side, SideName
from targetrl_core import Population, Problem
from targetrl_core.convergence import Expectation, check, passes
from targetrl_core.devices import find_device, synchronized_clock
from targetrl_core.examination import training_faults
from targetrl_core.history import History
from targetrl_core.population import STATE_NAMES
from targetrl_core.surroundings import Surroundings

RANDOM = random.SystemRandom()
WARM_CALLS = 3
ALONE_SECONDS, PAIRED_SECONDS = 0.06, 0.08
"""Of a row's calls: of the side that is alone, and of both sides in rounds."""

LEAST_ROUNDS, MOST_ROUNDS = 12, 100
LEAST_CALLS, MOST_CALLS = 3, 100
UNSTEADY = 0.04
"""Where the middle half of a side's calls spans more, as beyond the cache, there are twice as many rounds."""

OTHER: dict[SideName, SideName] = {"base": "head", "head": "base"}


class MissingError(Exception):
    """A row cannot be timed, or is not to be."""

    def __init__(self, kind: AbsenceKind, reason: str) -> None:
        super().__init__(reason)
        self.missing = Missing(kind=kind, reason=reason)


class Trainer:
    """One side's variant, prepared for a row."""

    def __init__(self, side: Side, row: SuiteRow, device: torch.device) -> None:
        self.side, self.name, self.device, self.draws = side, side.name.upper(), device, row.objective == "reinforce"
        with side.active(), _named(f"{self.name} failed"):
            problem = side.public("Problem")(objective=row.objective, arithmetic=row.arithmetic, steps=row.steps)
            variant = next((known for known in side.public("VARIANTS") if known.name == row.variant), None)
            cannot = "it has no such variant" if variant is None else variant.unsupported(problem, device, row.policies)
            if variant is None or cannot is not None:
                raise MissingError("not measured", f"{self.name}: {cannot}")
            self.train: Callable[[Any, None], Any] = variant.prepare(problem, device, row.policies)
            self.population: Any = side.public("Population")

    def call(self, policies: Population, planted: float = 0.0) -> tuple[float, Population]:
        """Train policies, which are left as they are: seconds, and what became of them; one of which is read while the clock runs."""
        start, place = self._own(policies), RANDOM.randrange(policies.n)
        with self.side.active(), _named(f"{self.name} failed"):
            begun = synchronized_clock()
            result = self.train(start, None)
            numbers = numbers_of(_tensors(result).values(), place)
            seconds = synchronized_clock() - begun
            if planted:
                until = begun + seconds * (1 + planted)
                while synchronized_clock() < until:
                    pass
                seconds = synchronized_clock() - begun
        if type(result) is not self.population:
            raise MissingError("withheld", f"{self.name}: the result is of type {type(result).__name__}; it must be a Population itself")
        trained = Population(**_tensors(result), age=result.age).clone()  # looking at it may be what trains it
        if numbers_of(trained.tensors().values(), place) != numbers:
            raise MissingError("withheld", f"{self.name}: policy {place} of the result is another than when it was returned")
        return seconds, trained

    def _own(self, policies: Population) -> Any:  # noqa: ANN401 — the version's own Population
        """A copy of policies on the device, as this version has them; a version that draws noise knows whose it is."""
        state = {name: tensor.to(self.device, copy=True) for name, tensor in policies.tensors().items()}
        if policies.shares_moments:
            state |= {"m_bias": state["m_weight"], "v_bias": state["v_weight"]}
        return self.population(**state, age=policies.age, **({"seeds": policies.seeds} if self.draws else {}))

    def require(self, expectation: Expectation, trained: Population) -> None:
        """Raise MissingError, which withholds the row, where a result is not identical."""
        if not passes(expectation, trained):
            raise MissingError("withheld", f"{self.name}: {check(expectation, trained).reasons[0]}")

    def examine(self, problem: Problem, n: int) -> None:
        """Raise MissingError where populations that no one has seen before do not become what the oracle expects."""

        def train(population: Population, _history: History | None) -> Population:
            return self.call(population)[1]

        before = Surroundings.look()
        reasons = (*training_faults(problem, train, self.device, n), *before.put_back())
        if reasons:
            raise MissingError("withheld", f"{self.name}: {reasons[0]}")


def _tensors(trained: Any) -> dict[str, torch.Tensor]:  # noqa: ANN401 — a version's own Population
    """The state tensors by name; versions from before it have no baseline."""
    tensors = {name: getattr(trained, name) for name in STATE_NAMES}
    baseline = getattr(trained, "baseline", None)
    return tensors if baseline is None else tensors | {"baseline": baseline}


@contextmanager
def _named(what: str) -> Iterator[None]:
    """Whatever a version raises is its row's to tell."""
    try:
        yield
    except MissingError:
        raise
    except Exception as error:
        line = str(error).strip().partition("\n")[0]
        raise MissingError("not measured", f"{what}: {type(error).__name__}: {line}") from error


class Bench:
    """A row in this process: what its calls train, and the trainers of the sides that are here."""

    def __init__(self, task: RowTask, device: torch.device, ceiling: Ceiling | None = None) -> None:
        self.task, self.device, self.ceiling = task, device, ceiling
        self.rounds: Rounds = torch.load(task.rounds, weights_only=False, mmap=True, map_location="cpu")
        self.cell = cell_of("steady state", task.row.variant, self.rounds.problem, self.rounds.n)
        self.trainers: dict[SideName, Trainer] = {}
        self.seconds = math.inf

    def add(self, side: Side, trainers: dict[tuple[SideName, SuiteRow], Trainer], *, examined: bool) -> None:
        """Prepare a side and warm it up. Rows that differ in nothing but what is planted share what was prepared."""
        key = (side.name, self.task.row)
        trainer = trainers.get(key)
        if trainer is None:
            trainer = trainers[key] = Trainer(side, self.task.row, self.device)
            if examined:
                trainer.examine(self.rounds.problem, self.rounds.n)
        self.trainers[side.name] = trainer
        self.seconds = min(self.seconds, statistics.median(self._once(trainer) for _ in range(WARM_CALLS)))

    def alone(self, name: SideName, seconds: float) -> float:
        """Median seconds of a call."""
        count = min(max(math.ceil(seconds / self.seconds), LEAST_CALLS), MOST_CALLS)
        return statistics.median(self._once(self.trainers[name]) for _ in range(count))

    def compare(self, seconds: float) -> float:
        """The logarithm of HEAD's time over BASE's.

        A round calls both sides twice, mirrored, so that a drift cancels. Half of the rounds begin with one side and half with the
        other, in an order that is drawn: being first or last is not to look like being slow. What disturbs a call makes it longer, so
        the faster half of each side's calls is taken: it spreads less than the medians of rounds do, and no slowdown escapes it that the
        median of all calls would show.
        """
        half = min(max(math.ceil(seconds / (4 * self.seconds)), LEAST_ROUNDS // 2), MOST_ROUNDS // 2)
        logs: dict[SideName, list[float]] = {"base": [], "head": []}
        self._rounds(half, logs)
        # How much calls spread says nothing of which side is faster: going on for it favours none.
        if max(_middle_half(side) for side in logs.values()) > UNSTEADY:
            self._rounds(half, logs)
        return _faster_half(logs["head"]) - _faster_half(logs["base"])

    def _rounds(self, half: int, logs: dict[SideName, list[float]]) -> None:
        """Twice ``half`` rounds; adds the logarithm of every call's seconds."""
        begins: list[SideName] = ["base", "head"] * half
        RANDOM.shuffle(begins)
        for outer in begins:
            for name in (outer, OTHER[outer], OTHER[outer], outer):
                logs[name].append(math.log(self._once(self.trainers[name])))

    def _once(self, trainer: Trainer) -> float:
        """Seconds of a call, of policies that could not be foreseen; checked, and dropped before the next one."""
        begun = self.rounds.draw()
        planted = self.task.planted if trainer.side.name == "head" else 0.0
        seconds, trained = trainer.call(begun.population, planted)
        trainer.require(begun.expectation, trained)
        reasons = () if self.ceiling is None else self.ceiling.reasons(self.cell, self.device, seconds)
        if reasons:
            raise MissingError("withheld", f"{trainer.name}: {reasons[0]}")
        return seconds


def _middle_half(logs: list[float]) -> float:
    low, _, high = statistics.quantiles(logs, n=4)
    return high - low


def _faster_half(logs: list[float]) -> float:
    return statistics.fmean(sorted(logs)[: len(logs) // 2])


def measure(task: ProcessTask) -> ProcessTimes:
    """Do what is asked."""
    times = ProcessTimes(first=task.first, rows={row.name: RowTimes() for row in task.rows})
    device = find_device(task.device)
    ceiling = None if task.limits is None else Ceiling({str(device): task.limits})
    benches = {row.name: Bench(row, device, ceiling) for row in task.rows}
    trainers: dict[tuple[SideName, SuiteRow], Trainer] = {}
    first = _import(task, task.first)
    if not isinstance(first, Side):
        times.broken = first
        return times
    _settle()
    for name, bench in benches.items():
        with _missing(times.rows[name]):
            bench.add(first, trainers, examined=task.probed)
            if bench.task.alone:
                times.rows[name].alone_seconds = _timed(partial(bench.alone, first.name, ALONE_SECONDS))
    second = _import(task, OTHER[task.first]) if task.paired else None
    if not isinstance(second, Side):
        times.broken_beside = second
        return times
    _settle()
    for name, bench in benches.items():
        if times.rows[name].missing is None:
            with _missing(times.rows[name]):
                bench.add(second, trainers, examined=task.probed)
                times.rows[name].compared = _timed(partial(bench.compare, PAIRED_SECONDS))
    return times


def _import(task: ProcessTask, name: SideName) -> Side | str:
    """A side, or why it cannot be imported."""
    try:
        return Side(name, Path(task.folders[name]))
    except Exception as error:  # noqa: BLE001 — a version may break in any way
        return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"


@contextmanager
def _missing(times: RowTimes) -> Iterator[None]:
    try:
        yield
    except MissingError as error:
        times.missing = error.missing


def _settle() -> None:
    """Collect what importing has left, and keep the collector out of what follows."""
    gc.collect()
    gc.freeze()


def _timed(timing: Callable[[], float]) -> float:
    """Without the garbage collector, and with an error where a graph is compiled anew.

    Where nothing was compiled there is nothing to compile anew, and importing half of torch.compile for it takes longer than a row.
    """
    gc.disable()
    try:
        with torch.compiler.set_stance("fail_on_recompile") if "torch._dynamo" in sys.modules else nullcontext():
            return timing()
    finally:
        gc.enable()


def main() -> int:
    """Read a task from standard input, and write what was found where the task says."""
    task = msgspec.json.decode(sys.stdin.buffer.read(), type=ProcessTask)
    times: ProcessTimes = measure(task)
    Path(task.result).write_bytes(msgspec.json.encode(times))
    return 0


if __name__ == "__main__":
    sys.exit(main())
