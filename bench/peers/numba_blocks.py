"""`numba`: the closed-form step as a loop that numba compiles, a block of policies to a thread, all steps of a block before the next one.

Not one policy's steps in registers, as one would write it first: LLVM then vectorises nothing, and computes some fiftieth as much.
"""

import math
from typing import Any

import torch

from bench.peers import arrays
from bench.peers.requirements import missing, unsuitable
from targetrl_core import Population, Problem, Variant
from targetrl_core.history import History
from targetrl_core.step import begin, end, rule_for
from targetrl_core.variants import Train


def unsupported(problem: Problem, device: torch.device, _n: int) -> str | None:
    """Runs on the CPU."""
    return unsuitable("numba", problem, device, ("cpu",)) or missing("numba")


def prepare(problem: Problem, device: torch.device, n: int) -> Train:
    """Compile the kernel for a fresh population; for one with moments of its own, or that is recorded, it is compiled when it comes."""
    import numba

    from bench.peers.numba_kernel import BLOCK, compiled

    problem.check_policies(n)
    kernel, tensors, c = compiled(problem.objective), problem.constants(device), arrays.constants(problem)
    blocks = math.ceil(n / BLOCK)

    def train(population: Population, history: History | None) -> Population:
        # The threads of the others, of which numba has at most one for each core, and none that would wait for another's block.
        numba.set_num_threads(min(blocks, torch.get_num_threads(), numba.config.NUMBA_NUM_THREADS))
        rule = rule_for(problem, population)
        state = arrays.contiguous(begin(rule, population, tensors))
        weight, bias, m_weight, v_weight, m_bias, v_bias, *_ = arrays.views(state)
        recorded: tuple[Any, Any] = (None, None) if history is None else (history.logits.numpy(), history.outputs.numpy())
        rows = arrays.rows(problem, population.age)
        constants = (c.x, c.target, c.k, c.lr, c.rate1, c.rate2, c.eps)  # those of the objectives that it has
        kernel(weight, bias, m_weight, v_weight, m_bias, v_bias, *constants, problem.steps, rows, *recorded)
        return end(rule, population, state, problem.steps)

    train(Population.zeros(n, device), None)
    return train


NUMBA = Variant("numba", unsupported, prepare)
