"""The step as users of jax write it: the loss of one policy, its gradient by jax.grad, the population by vmap."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from bench.peers.arrays import Arrays
from bench.peers.xla.step import updated
from targetrl_core.listing.policy import TINY_OUTPUT
from targetrl_core.problem import Constants
from targetrl_core.state import Rule, State


def log_output(z: Arrays, o: Arrays) -> Arrays:
    """log o, and z where o is so small that log σ(z) = z − log(1 + e^z) is z."""
    tiny = o < np.float32(TINY_OUTPUT)
    return jnp.where(tiny, z, jnp.log(jnp.where(tiny, 1.0, o)))


def detached_loss(z: Arrays, o: Arrays, c: Arrays) -> Arrays:
    """−stop_gradient(r)·log o."""
    return -lax.stop_gradient(1.0 - c.k * jnp.abs(o - c.target)) * log_output(z, o)


def pathwise_loss(_z: Arrays, o: Arrays, c: Arrays) -> Arrays:
    """−r."""
    return c.k * jnp.abs(o - c.target) - 1.0


LOSSES: dict[str, Callable[[Arrays, Arrays, Arrays], Arrays]] = {"detached": detached_loss, "pathwise": pathwise_loss}


def by_gradient(rule: Rule, state: Arrays, c: Arrays, row: Arrays) -> tuple[State, tuple[Arrays, Arrays]]:
    """One update of a population: the state after it, and logit and output before it."""

    def policy(state: Arrays, c: Arrays) -> tuple[State, tuple[Arrays, Arrays]]:
        (g_weight, g_bias), forward = gradient((state.weight, state.bias), c)
        return updated(rule, state, g_weight, g_bias, c, row), forward

    gradient = jax.grad(_loss_of(rule.objective), has_aux=True)
    per_policy = Constants._make(0 if jnp.ndim(value) else None for value in c)
    after: tuple[State, tuple[Arrays, Arrays]] = jax.vmap(policy, in_axes=(0, per_policy))(state, c)
    return after


def _loss_of(objective: str) -> Callable[[Arrays, Arrays], tuple[Arrays, tuple[Arrays, Arrays]]]:
    loss_of = LOSSES[objective]

    def loss(parameters: Arrays, c: Arrays) -> tuple[Arrays, tuple[Arrays, Arrays]]:
        weight, bias = parameters
        z = weight * c.x + bias
        o = jax.nn.sigmoid(z)
        return loss_of(z, o, c), (z, o)

    return loss
