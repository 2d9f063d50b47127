"""`numpy`: the closed-form step on arrays, each operation in place or into a buffer, a cache-sized chunk of the population to a thread.

numpy computes on one core, but without the interpreter's lock, which threads contend for between operations: the shorter these are, the
more. So chunks are larger than one core alone would have them, and nothing small is cut.
"""

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import NamedTuple

import numpy as np
import torch

from bench.peers import arrays
from bench.peers.arrays import Array, Arrays
from bench.peers.requirements import unsuitable
from targetrl_core import Population, Problem, Variant
from targetrl_core.history import History
from targetrl_core.state import Rule
from targetrl_core.step import begin, end, rule_for
from targetrl_core.variants import Train

CHUNK, SMALLEST = 1 << 18, 1 << 15
"""Most policies of a chunk, 8 MiB of state and buffers, which a third-level cache holds; and the fewest that a thread is worth."""


class Buffers(NamedTuple):
    """What a step writes beside the state, [CHUNK] each."""

    logit: Array
    output: Array
    gradient: Array
    move: Array

    def first(self, n: int) -> "Buffers":
        """As much of them as n policies need."""
        return Buffers._make(buffer[:n] for buffer in self)


Record = Callable[[int, Array, Array], None]


def unsupported(problem: Problem, device: torch.device, _n: int) -> str | None:
    """Runs on the CPU."""
    return unsuitable("numpy", problem, device, ("cpu",))


def prepare(problem: Problem, _device: torch.device, n: int) -> Train:
    """Allocate the buffers and start the threads."""
    problem.check_policies(n)
    tensors, c = problem.constants(arrays.CPU), arrays.constants(problem)
    parts = cut(n, torch.get_num_threads())
    threads = min(len(parts), torch.get_num_threads())
    buffers = [Buffers._make(np.empty(parts[0].stop, np.float32) for _ in Buffers._fields) for _ in range(threads)]
    pool, buffers_in_use = ThreadPoolExecutor(threads), Lock()

    def train(population: Population, history: History | None) -> Population:
        rule = rule_for(problem, population)
        state = begin(rule, population, tensors)
        whole, rows = arrays.views(state), arrays.rows(problem, population.age)

        def work(thread: int) -> None:
            for part in parts[thread::threads]:
                chunk = _part(whole, part)
                record = None if history is None else _recorder(history, part)
                _train_chunk(rule, chunk, _part(c, part), problem.steps, rows, buffers[thread].first(len(chunk.weight)), record)

        with buffers_in_use:
            list(map(work, range(threads)) if threads == 1 else pool.map(work, range(threads)))
        return end(rule, population, state, problem.steps)

    return train


def cut(n: int, threads: int) -> list[slice]:
    """The fewest equal chunks of a population that fit the cache and give each thread as many, unless they become too small."""
    busy = max(min(threads, n // SMALLEST), 1)
    count = math.ceil(n / CHUNK / busy) * busy
    size = math.ceil(n / count)
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]


def _part(values: Arrays, part: slice) -> Arrays:
    return values._make(value[part] if isinstance(value, np.ndarray) else value for value in values)


def _recorder(history: History, part: slice) -> Record:
    logits, outputs = history.logits.numpy(), history.outputs.numpy()

    def record(t: int, logit: Array, output: Array) -> None:
        logits[t, part], outputs[t, part] = logit, output

    return record


def _train_chunk(  # noqa: PLR0913 — what a chunk is trained by
    rule: Rule, s: Arrays, c: Arrays, steps: int, rows: Array | None, buffers: Buffers, record: Record | None
) -> None:
    """All steps of a chunk, in its own memory."""
    gradient = GRADIENTS[rule.objective]
    # exp(−z) is infinite below z = −88, and 1/∞ the right output.
    with np.errstate(over="ignore"):
        for t in range(steps):
            _forward(rule, s, c, buffers)
            if record is not None:
                record(t, buffers.logit, buffers.output)
            gradient(c, buffers)
            if rows is None:
                _sgd(rule, s, c, buffers)
            else:
                _adam(rule, s, c, c.lr * rows[t, 0], c.eps * rows[t, 1], buffers)


def _forward(rule: Rule, s: Arrays, c: Arrays, buffers: Buffers) -> None:
    z, o = buffers.logit, buffers.output
    if rule.unit_input:
        np.add(s.weight, s.bias, out=z)
    else:
        np.multiply(s.weight, c.x, out=z)
        np.add(z, s.bias, out=z)
    np.negative(z, out=o)
    np.exp(o, out=o)
    np.add(o, 1, out=o)
    np.reciprocal(o, out=o)


def _detached(c: Arrays, buffers: Buffers) -> None:
    """(k·|o − target| − 1)·(1 − o); overwrites the output."""
    _, o, g, _ = buffers
    np.subtract(o, c.target, out=g)
    np.abs(g, out=g)
    np.multiply(g, c.k, out=g)
    np.subtract(g, 1, out=g)
    np.subtract(1, o, out=o)
    np.multiply(g, o, out=g)


def _pathwise(c: Arrays, buffers: Buffers) -> None:
    """k·sign(o − target)·(o·(1 − o)); overwrites the output."""
    _, o, g, t = buffers
    # The sign as a difference of comparisons: np.sign branches, and where policies are near the target takes ten times as long.
    above, below = (t.view(np.int8)[start : start + len(t)] for start in (0, len(t)))
    np.greater(o, c.target, out=above.view(np.bool_))
    np.less(o, c.target, out=below.view(np.bool_))
    np.subtract(above, below, out=above)
    np.multiply(above, c.k, out=g)
    np.subtract(1, o, out=t)
    np.multiply(o, t, out=o)
    np.multiply(g, o, out=g)


GRADIENTS: dict[str, Callable[[Arrays, Buffers], None]] = {"detached": _detached, "pathwise": _pathwise}


def _sgd(rule: Rule, s: Arrays, c: Arrays, buffers: Buffers) -> None:
    _, _, g, t = buffers
    np.multiply(g, c.lr, out=t)
    np.subtract(s.bias, t, out=s.bias)
    if not rule.unit_input:
        np.multiply(g, c.x, out=t)
        np.multiply(t, c.lr, out=t)
    np.subtract(s.weight, t, out=s.weight)


def _adam(rule: Rule, s: Arrays, c: Arrays, lr: Arrays, eps: Arrays, buffers: Buffers) -> None:  # noqa: PLR0913 — what it writes to, too
    z, _, g, t = buffers
    if rule.shares_moments:
        _move(s.m_weight, s.v_weight, g, c, lr, eps, t)
        np.subtract(s.bias, t, out=s.bias)
    else:
        _move(s.m_bias, s.v_bias, g, c, lr, eps, t)
        np.subtract(s.bias, t, out=s.bias)
        np.multiply(g, c.x, out=z)
        _move(s.m_weight, s.v_weight, z, c, lr, eps, t)
    np.subtract(s.weight, t, out=s.weight)


def _move(m: Array, v: Array, g: Array, c: Arrays, lr: Arrays, eps: Arrays, t: Array) -> None:  # noqa: PLR0913 — likewise
    """Moments moved towards g and g², and lr·m/(√v + eps) in t."""
    np.subtract(g, m, out=t)
    np.multiply(t, c.rate1, out=t)
    np.add(m, t, out=m)
    np.multiply(g, g, out=t)
    np.subtract(t, v, out=t)
    np.multiply(t, c.rate2, out=t)
    np.add(v, t, out=v)
    np.sqrt(v, out=t)
    np.add(t, eps, out=t)
    np.divide(m, t, out=t)
    np.multiply(t, lr, out=t)


NUMPY = Variant("numpy", unsupported, prepare)
