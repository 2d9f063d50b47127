"""`batched-graphed`: the same step captured in a CUDA graph, all steps of a run in one launch."""

from collections.abc import Callable

import torch

from targetrl_core.history import History
from targetrl_core.population import Population
from targetrl_core.problem import Problem
from targetrl_core.variants import batched
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
    """Capture a whole run of a fresh population; the graph then reads and writes the same memory each time."""
    replay = _captured(problem, device, n, age=0, record=False)

    def train(population: Population, history: History | None) -> Population:
        fresh = population.age == 0 and population.shares_moments and history is None
        run = replay if fresh else _captured(problem, device, n, population.age, record=history is not None)
        return run(population, history)

    return train


def _captured(problem: Problem, device: torch.device, n: int, age: int, *, record: bool) -> Train:
    """A graph of all steps from a population of that age, and the copies around it."""
    start = _blank(n, device, shares_moments=age == 0 or problem.unit_input, age=age)
    kept = History.empty(problem.steps, n, device) if record else None
    train = batched.prepare(problem, device, n)
    _warm(lambda: train(start, kept), device)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        trained = train(start, kept)

    def replay(population: Population, history: History | None) -> Population:
        for name, tensor in start.tensors().items():
            tensor.copy_(getattr(population, name))
        graph.replay()
        if history is not None and kept is not None:
            history.logits.copy_(kept.logits)
            history.outputs.copy_(kept.outputs)
        # The graph's own memory is overwritten by the next run.
        return trained.clone()

    return replay


def _blank(n: int, device: torch.device, age: int, *, shares_moments: bool) -> Population:
    blank = Population.fresh(torch.zeros(n, device=device), torch.zeros(n, device=device))
    moments = {} if shares_moments else {name: torch.zeros(n, device=device) for name in ("m_bias", "v_bias")}
    return Population(**(blank.tensors() | moments), age=age)


def _warm(run: Callable[[], object], device: torch.device) -> None:
    """Run once on a side stream, as ``torch.cuda.graph`` asks before a capture."""
    stream = torch.cuda.Stream(device)
    stream.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(stream):
        run()
    torch.cuda.current_stream(device).wait_stream(stream)


BATCHED_GRAPHED = Variant("batched-graphed", unsupported, prepare)
