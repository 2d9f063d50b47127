"""`batched-compiled`: the same step under ``torch.compile``, in place, the population cut into cache-sized chunks.

One step is one pass over memory, so a chunk takes all its steps before the next one begins. Chunks are equal, since a static
graph is more than twice as fast as one for any size; what a population lacks to fill them is padding that no one reads.
"""

import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from targetrl_core.arithmetic import NATIVE
from targetrl_core.devices import why_not_compiled
from targetrl_core.history import History
from targetrl_core.population import Population
from targetrl_core.problem import Constants, Problem
from targetrl_core.state import Forward, Rule, State, Tick
from targetrl_core.step import begin, end, rule_for, step, ticks
from targetrl_core.variants.compiling import compiled, one_at_a_time
from targetrl_core.variants.variant import Train, Variant

CHUNK = 1 << 19
"""Most policies of a chunk: 8 MiB of state, which stays in a third-level cache."""

ALIGNMENT = 16
"""Chunks begin at multiples of 64 bytes."""

InPlace = Callable[[State, Constants, Tick], Forward | None]


class Cut(NamedTuple):
    """How a population is cut: ``chunks`` of ``size`` policies, the last ones padding where it does not come out even."""

    chunks: int
    size: int

    @property
    def total(self) -> int:
        """Policies and padding."""
        return self.chunks * self.size


def cut(n: int, device: torch.device) -> Cut:
    """The fewest equal chunks that fit the cache; one on a GPU, where all of the population is worked on at a time."""
    chunks = math.ceil(n / CHUNK) if device.type == "cpu" else 1
    return Cut(chunks, math.ceil(n / chunks / ALIGNMENT) * ALIGNMENT)


def unsupported(_problem: Problem, device: torch.device, _n: int) -> str | None:
    """Runs wherever ``torch.compile`` does."""
    return why_not_compiled(device)


@one_at_a_time
def prepare(problem: Problem, device: torch.device, n: int) -> Train:
    """Compile the step for one chunk and run it once."""
    problem.check_policies(n)
    how = cut(n, device)
    constants = problem.constants(device)
    by_chunk = _chunked_constants(constants, how)
    shape = (how.size, *(value.ndim > 0 for value in constants))
    blank = Population.zeros(how.size, device)
    rule = rule_for(problem, blank, compiled=True)
    in_place(rule, device, shape, record=False)(begin(rule, blank, by_chunk[0]), by_chunk[0], ticks(problem, 0, device)[0])

    @one_at_a_time
    def train(population: Population, history: History | None) -> Population:
        rule = rule_for(problem, population, compiled=True)
        by_step = ticks(problem, population.age, device)
        step_in_place = in_place(rule, device, shape, record=history is not None)
        whole = _padded(begin(rule, population, constants), how.total)
        for index, (chunk, c) in enumerate(zip(_split(whole, how), by_chunk, strict=True)):
            first = index * how.size
            for t, tick in enumerate(by_step):
                forward = step_in_place(chunk, c, tick)
                if history is not None and forward is not None:
                    _record(history, t, forward, first, n)
        return end(rule, population, _map(whole, lambda tensor: tensor[:n]), problem.steps)

    return train


@cache
def in_place(rule: Rule, device: torch.device, _shape: tuple[object, ...], *, record: bool) -> InPlace:
    """The compiled step of a rule, which overwrites the state it is given.

    A graph is static: it is for policies of a chunk, and for constants of which some have one value for each, which the shape tells.
    """

    def step_in_place(state: State, c: Constants, tick: Tick) -> Forward | None:
        new, forward = step(rule, state, c, tick)
        for old_tensor, new_tensor in zip(state, new, strict=True):
            if old_tensor is not None and new_tensor is not None and old_tensor is not new_tensor:
                old_tensor.copy_(new_tensor)
        return forward if record else None

    # Noise has the same bits everywhere, also where the rest is native.
    exact = rule.arithmetic != NATIVE or rule.objective == "reinforce"
    return compiled(step_in_place, exact=exact and device.type != "cpu")


def _map(state: State, function: Callable[[Tensor], Tensor]) -> State:
    return State._make(None if tensor is None else function(tensor) for tensor in state)


def _padded(state: State, total: int) -> State:
    """The state with padding at its end: what came in where it fits, otherwise a copy."""

    def pad(tensor: Tensor) -> Tensor:
        if len(tensor) == total and tensor.is_contiguous():
            return tensor
        longer = tensor.new_zeros(total)
        longer[: len(tensor)] = tensor
        return longer

    return _map(state, pad)


def _split(state: State, how: Cut) -> list[State]:
    parts = [[None] * how.chunks if tensor is None else torch.split(tensor, how.size) for tensor in state]
    return [State._make(chunk) for chunk in zip(*parts, strict=True)]


def _chunked_constants(c: Constants, how: Cut) -> list[Constants]:
    """The constants of each chunk; padding repeats the last policy's."""

    def pieces(value: Tensor) -> Sequence[Tensor]:
        if value.ndim == 0:
            return (value,) * how.chunks
        padding = value[-1:].expand(how.total - len(value))
        return torch.split(torch.cat((value, padding)), how.size)

    return [Constants._make(chunk) for chunk in zip(*map(pieces, c), strict=True)]


def _record(history: History, t: int, forward: Forward, first: int, n: int) -> None:
    count = min(len(forward.output), n - first)
    history.record(t, forward.logit[:count], forward.output[:count], slice(first, first + count))


BATCHED_COMPILED = Variant("batched-compiled", unsupported, prepare)
