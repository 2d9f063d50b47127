"""All steps of a run as one loop of XLA, as ``lax.scan`` makes it, but with bounds that are arguments.

XLA rounds by what it fuses, and it fuses by what is returned and how often: a scan that also returns what is between its steps ends with
other bits. A recorded run therefore goes through the very code of the timed one, a body of the loop at a time, and looks at the state
before each.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from bench.peers.arrays import Arrays
from bench.peers.xla.run import Advance, Record
from targetrl_core.state import Rule

Step = Callable[[Rule, Arrays, Arrays, Arrays], tuple[Arrays, tuple[Arrays, Arrays]]]
"""Rule, state, constants and row → the state after one update of a population, and logit and output before it."""


def stretches(steps: int, unroll: int) -> list[tuple[int, int, int]]:
    """A run as a loop of bodies of ``unroll`` steps, and one shorter body where they do not come out even.

    Of each the first step, the steps of a body, and how many bodies there are.
    """
    bodies, rest = divmod(steps, unroll)
    return [stretch for stretch in ((0, unroll, bodies), (steps - rest, rest, 1)) if all(stretch[1:])]


class Unrolled(NamedTuple):
    """What is compiled: ``unroll`` steps of a rule, and a loop around them unless they are run once."""

    rule: Rule
    unroll: int
    loops: bool


def loop(step: Step, steps: int, unroll: int) -> Advance:
    """What trains by the compiled loop of a step; it compiles what it has not met before."""
    advanced = jax.jit(partial(_advanced, step), static_argnums=(0,), donate_argnums=(1,))
    seen = jax.jit(partial(_seen, step), static_argnums=(0,))

    def train(rule: Rule, state: Arrays, c: Arrays, rows: Arrays, record: Record | None) -> Arrays:
        for first, steps_each, bodies in stretches(steps, unroll):
            body = Unrolled(rule, steps_each, loops=bodies > 1)
            if record is None:
                state = advanced(body, state, c, rows, first, bodies)
                continue
            for begin in range(first, first + steps_each * bodies, steps_each):
                record(begin, *seen(body, state, c, rows, begin))
                state = advanced(body, state, c, rows, begin, 1)
        return state

    return train


def _advanced(  # noqa: PLR0913 — jax traces what is an argument, and knows the rest beforehand
    step: Step, body: Unrolled, state: Arrays, c: Arrays, rows: Arrays, first: Arrays, bodies: Arrays
) -> Arrays:
    """The state after ``bodies`` bodies, from row ``first`` on."""

    def taken(index: Arrays, state: Arrays) -> Arrays:
        return _stepped(step, body, state, c, rows, first + index * body.unroll)[0]

    return lax.fori_loop(0, bodies, taken, state) if body.loops else taken(0, state)


def _seen(  # noqa: PLR0913 — likewise
    step: Step, body: Unrolled, state: Arrays, c: Arrays, rows: Arrays, first: Arrays
) -> Arrays:
    """Logits and outputs before each step of one body, [unroll, N]."""
    return _stepped(step, body, state, c, rows, first)[1]


def _stepped(  # noqa: PLR0913 — likewise
    step: Step, body: Unrolled, state: Arrays, c: Arrays, rows: Arrays, first: Arrays
) -> tuple[Arrays, Arrays]:
    """The state after one body, and what came before each of its steps: [unroll, N] each."""
    forwards = []
    for row in lax.dynamic_slice_in_dim(rows, first, body.unroll):
        state, forward = step(body.rule, state, c, row)
        forwards.append(forward)
    return state, jax.tree.map(lambda *values: jnp.stack(values), *forwards)
