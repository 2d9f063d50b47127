"""`batched-graphed`: the same step captured in a CUDA graph, all steps of a run in one launch."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from targetrl_core.history import History
from targetrl_core.population import Population
from targetrl_core.problem import Constants, Problem
from targetrl_core.step import Rule, State, advance, begin, corrections, end, rule_for
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


def prepare(problem: Problem, device: torch.device, n: int) -> Train:
    """Capture a whole run of a fresh population; one with moments of its own, or that is recorded, is captured when it comes."""
    problem.check_policies(n)
    c = problem.constants(device)
    captured: dict[tuple[Rule, bool], _Captured] = {}

    def ready(population: Population, *, record: bool) -> tuple[Rule, "_Captured"]:
        rule = rule_for(problem, population)
        if (rule, record) not in captured:
            captured[rule, record] = _capture(rule, problem, c, begin(rule, population, c), record=record)
        return rule, captured[rule, record]

    def train(population: Population, history: History | None) -> Population:
        rule, run = ready(population, record=history is not None)
        run.load(begin(rule, population, c), corrections(problem, population.age, device))
        run.replay()
        if history is not None and run.history is not None:
            history.logits.copy_(run.history.logits)
            history.outputs.copy_(run.history.outputs)
        # The graph's own memory is overwritten by the next run.
        return end(rule, population, run.trained, problem.steps).clone()

    ready(Population.fresh(torch.zeros(n, device=device), torch.zeros(n, device=device)), record=False)
    return train


class _Captured(NamedTuple):
    """A graph, and the memory that it reads and writes each time: the state and corrections it begins with, and what it makes of them."""

    replay: Callable[[], None]
    start: State
    rows: tuple[Tensor | None, ...]
    trained: State
    history: History | None

    def load(self, start: State, rows: tuple[Tensor | None, ...]) -> None:
        """Put a population's state, and the corrections for its age, where the graph reads them."""
        for kept, given in zip((*self.start, *self.rows), (*start, *rows), strict=True):
            if kept is not None and given is not None:
                kept.copy_(given)


def _capture(rule: Rule, problem: Problem, c: Constants, example: State, *, record: bool) -> _Captured:
    device = example.weight.device
    start = State._make(None if tensor is None else torch.empty_like(tensor).copy_(tensor) for tensor in example)
    rows = tuple(None if row is None else row.clone() for row in corrections(problem, 0, device))
    history = History.empty(problem.steps, len(example.weight), device) if record else None

    def run() -> State:
        return advance(rule, start, c, rows, history)

    replay, trained = captured_run(run, device)
    return _Captured(replay, start, rows, trained, history)


def captured_run(run: Callable[[], State], device: torch.device) -> tuple[Callable[[], None], State]:
    """The run as a CUDA graph, and the state that each replay writes; run once before on a side stream, as ``torch.cuda.graph`` asks."""
    stream = torch.cuda.Stream(device)
    stream.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(stream):
        run()
    torch.cuda.current_stream(device).wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        trained = run()
    return graph.replay, trained


BATCHED_GRAPHED = Variant("batched-graphed", unsupported, prepare)
