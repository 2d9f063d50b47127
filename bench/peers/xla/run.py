"""How a peer of jax is prepared, whichever way it computes a step: compiled for its device, and fed without copies."""

from collections.abc import Callable

import jax
import torch

from bench.peers import arrays
from bench.peers.arrays import Arrays
from bench.peers.xla import device as xla_device
from targetrl_core import Population, Problem
from targetrl_core.history import History
from targetrl_core.state import Rule
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
    place = xla_device.place_of(device)
    tensors, c = problem.constants(device), xla_device.placed(arrays.constants(problem), place)

    def train(population: Population, history: History | None) -> Population:
        rule = rule_for(problem, population)
        state = xla_device.imported(arrays.contiguous(begin(rule, population, tensors)))
        if parts_moments and rule.shares_moments:
            rule = rule._replace(shares_moments=False)
            state = state._replace(m_bias=_copy(state.m_weight), v_bias=_copy(state.v_weight))
        rows = xla_device.rows(problem, population.age, place)
        trained = advance(rule, state, c, rows, None if history is None else _recorder(history))
        return end(rule, population, xla_device.exported(trained), problem.steps)

    train(Population.zeros(n, device), None)
    return train


def _copy(value: Arrays) -> Arrays:
    return None if value is None else value.copy()


def _recorder(history: History) -> Record:
    def record(first: int, logits: Arrays, outputs: Arrays) -> None:
        part = slice(first, first + len(logits))
        history.logits[part], history.outputs[part] = (xla_device.tensor_of(jax.block_until_ready(value)) for value in (logits, outputs))

    return record
