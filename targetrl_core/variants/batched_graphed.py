"""`batched-graphed`: the same step captured in a CUDA graph, all steps of a run in one launch."""

from collections.abc import Callable
from itertools import chain
from typing import NamedTuple

import torch
from torch import Tensor

from targetrl_core.history import History
from targetrl_core.population import Population
from targetrl_core.problem import Constants, Problem
from targetrl_core.state import Rule, State, Tick
from targetrl_core.step import begin, end, rule_for, run_steps, ticks
from targetrl_core.variants.compiling import one_at_a_time
from targetrl_core.variants.variant import Train, Variant

STEP_LIMIT = 1000
"""Most steps of a run: a graph holds every kernel of every step, about twenty of each."""


def unsupported(problem: Problem, device: torch.device, _n: int) -> str | None:
    """Runs on CUDA alone, as long as the graph stays small enough."""
    if device.type != "cuda":
        return f"CUDA graphs do not exist on {device.type}"
    if problem.steps > STEP_LIMIT:
        return f"the graph would hold {problem.steps:,} steps: limited to {STEP_LIMIT:,}"
    return None


@one_at_a_time
def prepare(problem: Problem, device: torch.device, n: int) -> Train:
    """Capture a whole run of a fresh population; one with moments of its own is captured when it comes.

    A recorded run is captured each time, into the history that it is given: nothing of it is kept, as it would be many times the state.
    """
    problem.check_policies(n)
    c = problem.constants(device)
    captured: dict[Rule, _Captured] = {}

    def ready(rule: Rule, start: State) -> _Captured:
        if rule not in captured:
            captured[rule] = _capture(rule, problem, c, start, None)
        return captured[rule]

    @one_at_a_time
    def train(population: Population, history: History | None) -> Population:
        rule = rule_for(problem, population)
        start = begin(rule, population, c)
        run = ready(rule, start) if history is None else _capture(rule, problem, c, start, history)
        run.load(start, ticks(problem, population.age, device))
        run.replay()
        # The graph's own memory is overwritten by the next run.
        return end(rule, population, run.trained, problem.steps).clone()

    fresh = Population.zeros(n, device)
    ready(rule_for(problem, fresh), begin(rule_for(problem, fresh), fresh, c))
    return train


class _Captured(NamedTuple):
    """A graph, and the memory that it reads and writes each time: the state and ticks it begins with, and what it makes of them."""

    replay: Callable[[], None]
    start: State
    ticks: tuple[Tick, ...]
    trained: State

    def load(self, start: State, by_step: tuple[Tick, ...]) -> None:
        """Put a population's state, and the ticks of its age, where the graph reads them."""
        for kept, given in zip((*self.start, *chain(*self.ticks)), (*start, *chain(*by_step)), strict=True):
            if kept is not None and given is not None:
                kept.copy_(given)


def _capture(rule: Rule, problem: Problem, c: Constants, example: State, history: History | None) -> _Captured:
    device = example.weight.device
    start = State._make(map(_copied, example))
    by_step = tuple(Tick._make(map(_copied, tick)) for tick in ticks(problem, 0, device))

    def run() -> State:
        return run_steps(rule, start, c, by_step, history)

    replay, trained = captured_run(run, device)
    return _Captured(replay, start, by_step, trained)


def _copied(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else torch.empty_like(tensor).copy_(tensor)


def captured_run(run: Callable[[], State], device: torch.device) -> tuple[Callable[[], None], State]:
    """The run as a CUDA graph, and the state that each replay writes; run once before on a side stream, as ``torch.cuda.graph`` asks.

    A graph is captured and replayed on the streams of the current device, which need not be the population's.
    """
    with torch.cuda.device(device):
        stream = torch.cuda.Stream(device)
        stream.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(stream):
            run()
        torch.cuda.current_stream(device).wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            trained = run()

    def replay() -> None:
        with torch.cuda.device(device):
            graph.replay()

    return replay, trained


BATCHED_GRAPHED = Variant("batched-graphed", unsupported, prepare)
