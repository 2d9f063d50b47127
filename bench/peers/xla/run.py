"""How a peer of jax is prepared, whichever way it computes a step: compiled for its device, and fed without copies.

Imported where jax is used, and only there.
"""

import os
from collections.abc import Callable
from functools import lru_cache

# jax would take three quarters of a GPU at its first look at one, and torch is there already.
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

import jax
import numpy as np
import torch
from torch import Tensor
from torch.utils.dlpack import from_dlpack

from bench.peers import arrays
from bench.peers.arrays import Arrays
from targetrl_core import Population, Problem
from targetrl_core.history import History
from targetrl_core.state import Rule, State
from targetrl_core.step import begin, end, rule_for
from targetrl_core.variants import Train

Record = Callable[[int, Arrays, Arrays], None]
"""Is told the first of some steps, and the logits and outputs before each of them, [some, N]."""

Advance = Callable[[Rule, Arrays, Arrays, Arrays, Record | None], Arrays]
"""Rule, state, constants and rows → the state after all steps; recorded, where there is something to record with."""


def prepared(advance: Advance, problem: Problem, device: torch.device, n: int, *, parts_moments: bool = False) -> Train:
    """Compile all steps for a fresh population; for one with moments of its own, or that is recorded, it is compiled when it comes.

    ``parts_moments`` says that weight and bias are to have moments of their own, whether they came so or not.
    """
    problem.check_policies(n)
    place = place_of(device)
    # What a function is given on a device it computes there.
    tensors, c = problem.constants(device), jax.device_put(arrays.constants(problem), place)

    def train(population: Population, history: History | None) -> Population:
        rule = rule_for(problem, population)
        state = imported(arrays.contiguous(begin(rule, population, tensors)))
        if parts_moments and rule.shares_moments:
            rule = rule._replace(shares_moments=False)
            state = state._replace(m_bias=_copy(state.m_weight), v_bias=_copy(state.v_weight))
        table = rows(problem, population.age, place)
        trained = advance(rule, state, c, table, None if history is None else _recorder(history))
        return end(rule, population, exported(trained), problem.steps)

    train(Population.zeros(n, device), None)
    return train


def _copy(value: Arrays) -> Arrays:
    return None if value is None else value.copy()


def _recorder(history: History) -> Record:
    def record(first: int, logits: Arrays, outputs: Arrays) -> None:
        part = slice(first, first + len(logits))
        history.logits[part], history.outputs[part] = (tensor_of(jax.block_until_ready(value)) for value in (logits, outputs))

    return record


def place_of(device: torch.device) -> Arrays:
    """The device of jax that is ``device``."""
    if device.type == "cpu":
        return jax.devices("cpu")[0]
    return jax.devices("cuda")[device.index or 0]


def imported(state: State) -> Arrays:
    """The state as jax takes it, without a copy: arrays of numpy on the CPU, which a compiled function takes faster than its own.

    On a GPU they are jax's own arrays, by DLPack, once torch's work on them is done.
    """
    if state.weight.device.type == "cpu":
        return arrays.views(state)
    return State._make(None if tensor is None else jax.dlpack.from_dlpack(tensor) for tensor in state)


def exported(values: Arrays) -> State:
    """Arrays of jax as tensors that share their memory, once they are computed."""
    jax.block_until_ready(values)
    return State._make(None if value is None else tensor_of(value) for value in values)


def tensor_of(value: Arrays) -> Tensor:
    """One array of jax as a tensor."""
    tensor: Tensor = from_dlpack(value)
    return tensor


@lru_cache(maxsize=16)
def rows(problem: Problem, age: int, place: Arrays) -> Arrays:
    """The bias corrections of each step, [steps, 2], on a device; under SGD as many zeros, which no one reads."""
    table = arrays.rows(problem, age)
    return jax.device_put(np.zeros((problem.steps, 2), np.float32) if table is None else table, place)
