"""All steps of a block of policies in one kernel of Pallas, its state in registers; Triton compiles it for CUDA."""

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton

from bench.peers.arrays import Arrays
from bench.peers.xla.run import Advance, Record
from bench.peers.xla.step import closed_form
from targetrl_core.problem import Constants
from targetrl_core.state import Rule

BLOCK, WARPS = 512, 4
"""Policies of a kernel's program, and warps that share them: four policies to a thread. Not measured yet."""


def pallas_kernel(steps: int, *, interpret: bool) -> Advance:
    """What trains by the compiled kernel; ``interpret`` computes on any device what it would on a GPU, for tests."""
    compiled = jax.jit(partial(run, steps, interpret=interpret), static_argnums=(0, 1), donate_argnums=(2,))

    def train(rule: Rule, state: Arrays, c: Arrays, rows: Arrays, record: Record | None) -> Arrays:
        trained, seen = compiled(rule, record is not None, state, c, rows)
        if record is not None:
            record(0, *seen)
        return trained

    return train


def run(  # noqa: PLR0913 — jax traces what is an argument, and compiles for the others, by their places
    steps: int,
    rule: Rule,
    record: bool,  # noqa: FBT001 — likewise
    state: Arrays,
    c: Arrays,
    rows: Arrays,
    *,
    interpret: bool,
) -> tuple[Arrays, list[Arrays]]:
    """The state after all steps and, if recorded, logits and outputs [steps, N]."""
    n = state.weight.shape[0]
    tensors, shape = jax.tree.flatten(state)
    constants = [jnp.atleast_1d(value) for value in c]
    like = jax.ShapeDtypeStruct((n,), jnp.float32)
    seen = [jax.ShapeDtypeStruct((steps, n), jnp.float32)] * (2 * record)
    made = pl.pallas_call(
        partial(_kernel, steps, n, rule, shape),
        grid=(pl.cdiv(n, BLOCK),),
        out_shape=[[like] * len(tensors), seen],
        input_output_aliases={len(constants) + 1 + index: index for index in range(len(tensors))},
        compiler_params=triton.CompilerParams(num_warps=WARPS),
        interpret=interpret,
    )(rows, constants, tensors)
    return jax.tree.unflatten(shape, made[0]), made[1]


def _kernel(  # noqa: PLR0913 — what a kernel reads and writes
    steps: int, n: int, rule: Rule, shape: Arrays, rows: Arrays, constants: Arrays, tensors: Arrays, trained: Arrays, seen: Arrays
) -> None:
    """A block's program: load its policies, take all steps, store them."""
    policies = pl.program_id(0) * BLOCK + jnp.arange(BLOCK)
    inside = policies < n

    def loaded(ref: Arrays) -> Arrays:
        return triton.load(ref.at[policies], mask=inside, other=0.0)

    c = Constants._make(ref[0] if ref.shape == (1,) and n != 1 else loaded(ref) for ref in constants)

    def step(t: Arrays, state: Arrays) -> Arrays:
        state, forward = closed_form(rule, state, c, (rows[t, 0], rows[t, 1]))
        for ref, value in zip(seen, forward, strict=bool(seen)):
            triton.store(ref.at[t, policies], value, mask=inside)
        return state

    state = lax.fori_loop(0, steps, step, jax.tree.unflatten(shape, [loaded(ref) for ref in tensors]))
    for ref, value in zip(trained, jax.tree.leaves(state), strict=True):
        triton.store(ref.at[policies], value, mask=inside)
