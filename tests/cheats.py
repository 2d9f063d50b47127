"""Variants that are fast, or at least wrong, and must be rejected: each makes one mistake or plays one trick."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from targetrl_core import Population, Problem, Variant, recorded
from targetrl_core.history import History
from targetrl_core.problem import Constants
from targetrl_core.state import Forward, Rule, State, Tick
from targetrl_core.step import begin, end, rule_for, step, ticks
from targetrl_core.training import prepared_to_end
from targetrl_core.variants import Train
from targetrl_core.variants.batched import BATCHED
from targetrl_core.variants.variant import EndState, TrainToEnd

Step = Callable[[Rule, State, Constants, Tick], tuple[State, Forward]]


def _trainer(problem: Problem, c: Constants, take_step: Step = step) -> Train:
    """`batched` with other constants or another step."""

    def train(population: Population, history: History | None) -> Population:
        rule = rule_for(problem, population)
        state = begin(rule, population, c)
        for t, tick in enumerate(ticks(problem, population.age, population.device)):
            state, forward = take_step(rule, state, c, tick)
            if history is not None:
                history.record(t, *forward)
        return end(rule, population, state, problem.steps)

    return train


def _with(change: Callable[[Constants], Constants]) -> Callable[[Problem, torch.device, int], Train]:
    return lambda problem, device, _n: _trainer(problem, change(problem.constants(device)))


def _half_precision_gradients(problem: Problem, device: torch.device, _n: int) -> Train:
    def take_step(rule: Rule, state: State, c: Constants, tick: Tick) -> tuple[State, Forward]:
        halved = rule.arithmetic._replace(settle_gradient=lambda g: g.half().float())
        return step(rule._replace(arithmetic=halved), state, c, tick)

    return _trainer(problem, problem.constants(device), take_step)


def _skipped_step(problem: Problem, device: torch.device, _n: int) -> Train:
    taken = 0

    def take_step(rule: Rule, state: State, c: Constants, tick: Tick) -> tuple[State, Forward]:
        nonlocal taken
        taken += 1
        new, forward = step(rule, state, c, tick)
        return (state if taken % problem.steps == 0 else new), forward

    return _trainer(problem, problem.constants(device), take_step)


def _after(change: Callable[[Population, Population], Population]) -> Callable[[Problem, torch.device, int], Train]:
    """`batched`, and then something done to its result: change(start, trained)."""

    def prepare(problem: Problem, device: torch.device, n: int) -> Train:
        honest = BATCHED.prepare(problem, device, n)

        def train(population: Population, history: History | None) -> Population:
            return change(population, honest(population, history))

        return train

    return prepare


def _frozen(start: Population, trained: Population) -> Population:
    return Population(**start.tensors(), age=trained.age)


def _moments_wrong(_start: Population, trained: Population) -> Population:
    v = trained.v_weight * 1.0001
    return Population(**(trained.tensors() | {"v_weight": v, "v_bias": v}), age=trained.age)


def _wrong_policy(_start: Population, trained: Population) -> Population:
    return trained.map(lambda tensor: tensor.roll(1))


def _last_digit(_start: Population, trained: Population) -> Population:
    weight = trained.weight.clone()
    weight[-1] = float("nan")
    return Population(**(trained.tensors() | {"weight": weight}), age=trained.age)


def _cached(problem: Problem, device: torch.device, n: int) -> Train:
    honest = BATCHED.prepare(problem, device, n)
    kept: list[Population] = []

    def train(population: Population, history: History | None) -> Population:
        if not kept or history is not None:
            kept[:] = [honest(population, history)]
        return kept[0].clone()

    return train


def _replayed(problem: Problem, device: torch.device, n: int) -> Train:
    """Honest for as long as starts are new; afterwards it takes a start with the same first policies for one it knows."""
    honest = BATCHED.prepare(problem, device, n)
    known: dict[int, Population] = {}

    def train(population: Population, history: History | None) -> Population:
        trained = honest(population, history)
        return known.setdefault(n, trained).clone()

    return train


def _mutated_input(problem: Problem, device: torch.device, n: int) -> Train:
    honest = BATCHED.prepare(problem, device, n)

    def train(population: Population, history: History | None) -> Population:
        object.__setattr__(problem, "k", 4.0)
        return honest(population, history)

    return train


def _early_return(problem: Problem, device: torch.device, n: int) -> Train:
    """The work goes on behind the clock's back: what an asynchronous device does when no one waits for it."""
    honest = BATCHED.prepare(problem, device, n)

    def train(population: Population, history: History | None) -> Population:
        result = population.clone()

        def work() -> None:
            time.sleep(0.05)
            trained = honest(population, history)
            for name, tensor in result.tensors().items():
                tensor.copy_(getattr(trained, name))

        threading.Thread(target=work).start()
        return Population(**result.tensors(), age=population.age + problem.steps)

    return train


class _LazyTensor(Tensor):
    """A tensor that would compute itself when it is looked at."""


def _lazy(_start: Population, trained: Population) -> Population:
    return trained.map(lambda tensor: tensor.as_subclass(_LazyTensor))


class _LazyPopulation(Population):
    """A population that trains itself when its tensors are asked for."""

    def tensors(self) -> dict[str, Tensor]:
        return self.__dict__["late"]().tensors()  # type: ignore[no-any-return]


def _trained_when_read(problem: Problem, device: torch.device, n: int) -> Train:
    """Nothing is done before somebody looks."""
    honest = BATCHED.prepare(problem, device, n)

    def train(population: Population, history: History | None) -> Population:
        if history is not None:
            return honest(population, history)
        start, late = population.clone(), _LazyPopulation(**population.tensors(), age=population.age + problem.steps)
        late.__dict__["late"] = lambda: honest(start, None)
        return late

    return train


def _foreseen(problem: Problem, device: torch.device, n: int) -> Train:
    """The policies of seed 0 are trained in advance, and looked up by the number of the first."""
    honest = BATCHED.prepare(problem, device, n)
    pool = BATCHED.prepare(problem, device, n + 4096)(Population.initialise(n + 4096), None)

    def train(population: Population, history: History | None) -> Population:
        if history is not None:
            return honest(population, history)
        first = population.seeds[0]
        return pool.slice(int(first), int(first) + n).clone() if 0 <= first <= 4096 else honest(population, None)

    return train


def _as_if(change: Callable[[Population], Population]) -> Callable[[Problem, torch.device, int], Train]:
    """`batched` from a start that is not the one given."""

    def prepare(problem: Problem, device: torch.device, n: int) -> Train:
        honest = BATCHED.prepare(problem, device, n)
        return lambda population, history: replace(honest(change(population), history), age=population.age + problem.steps)

    return prepare


def _without_moments(population: Population) -> Population:
    return replace(Population.fresh(population.weight, population.bias, population.seeds), age=population.age)


def _averaged_constants(problem: Problem, device: torch.device, n: int) -> Train:
    averages = {name: float(values.mean()) for name, values in problem.per_policy.items()}
    return BATCHED.prepare(problem.replace(**averages), device, n)


def _few_steps(problem: Problem, device: torch.device, n: int) -> Train:
    """No run is longer than 200 steps, whatever is asked for."""
    honest = BATCHED.prepare(problem.replace(steps=min(problem.steps, 200)), device, n)
    return lambda population, history: replace(honest(population, history), age=population.age + problem.steps)


def _buffers_reused(problem: Problem, device: torch.device, n: int) -> Train:
    """What is returned is written over by the next call."""
    honest, buffers = BATCHED.prepare(problem, device, n), Population.zeros(n, device)

    def train(population: Population, history: History | None) -> Population:
        trained = honest(population, history)
        for name, tensor in trained.tensors().items():
            if name != "baseline":
                getattr(buffers, name).copy_(tensor)
        kept = buffers.tensors() if trained.baseline is None else buffers.tensors() | {"baseline": trained.baseline}
        return Population(**kept, age=trained.age, seeds=trained.seeds)

    return train


def _threads_changed(problem: Problem, device: torch.device, n: int) -> Train:
    honest = BATCHED.prepare(problem, device, n)

    def train(population: Population, history: History | None) -> Population:
        torch.set_num_threads(torch.get_num_threads() + 1)
        return honest(population, history)

    return train


def _check_replaced(problem: Problem, device: torch.device, n: int) -> Train:
    """Whatever is checked from now on passes."""
    recorded.row_faults = lambda *_: ()
    return BATCHED.prepare(problem, device, n)


def _other_first_steps(problem: Problem, device: torch.device, n: int) -> TrainToEnd:
    """Policies are trained as they have to be, and said to have come to the target at once."""
    honest = prepared_to_end(BATCHED, problem, device, n)
    return lambda start: (ended := honest(start))._replace(first_steps=torch.zeros_like(ended.first_steps))


def _from_the_next_seed(problem: Problem, device: torch.device, n: int) -> TrainToEnd:
    """Honest about populations, whose start is given."""
    honest = prepared_to_end(BATCHED, problem, device, n)

    def train(start: Population | range) -> EndState:
        return honest(range(start.start + 1, start.stop + 1) if isinstance(start, range) else start)

    return train


def _everywhere(_problem: Problem, _device: torch.device, _n: int) -> str | None:
    return None


def _cheat(name: str, prepare: Callable[[Problem, torch.device, int], Train]) -> Variant:
    return Variant(f"cheat-{name}", _everywhere, prepare)


BY_THE_WAY = (
    Variant("cheat-first-steps", _everywhere, BATCHED.prepare, prepare_to_end=_other_first_steps),
    Variant("cheat-seeds", _everywhere, BATCHED.prepare, prepare_to_end=_from_the_next_seed),
)
"""Those that are wrong only where policies are trained in another way than by ``prepare``."""

CHEATS = (
    _cheat("skipped-step", _skipped_step),
    _cheat("lr", _with(lambda c: c._replace(lr=c.lr * (1 + 1e-5)))),
    _cheat("eps", _with(lambda c: c._replace(eps=c.eps * 10))),
    _cheat("beta2-float32", _with(lambda c: c._replace(rate2=1 - (1 - c.rate2)))),
    _cheat("half-precision-gradients", _half_precision_gradients),
    _cheat("wrong-policy", _after(_wrong_policy)),
    _cheat("frozen", _after(_frozen)),
    _cheat("cached", _cached),
    _cheat("replayed", _replayed),
    _cheat("mutated-input", _mutated_input),
    _cheat("early-return", _early_return),
    _cheat("moments-wrong", _after(_moments_wrong)),
    _cheat("one-nan", _after(_last_digit)),
    _cheat("lazy", _after(_lazy)),
    *BY_THE_WAY,
    _cheat("trained-when-read", _trained_when_read),
    _cheat("foreseen", _foreseen),
    _cheat("without-moments", _as_if(_without_moments)),
    _cheat("without-age", _as_if(lambda population: replace(population, age=0))),
    _cheat("averaged-constants", _averaged_constants),
    _cheat("few-steps", _few_steps),
    _cheat("buffers-reused", _buffers_reused),
    _cheat("threads-changed", _threads_changed),
    _cheat("check-replaced", _check_replaced),
)
