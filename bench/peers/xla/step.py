"""The step in jax, in closed form and as users write it: the loss of one policy, its gradient by jax.grad, the population by vmap."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from bench.peers.arrays import Arrays
from targetrl_core.listing.policy import TINY_OUTPUT
from targetrl_core.problem import Constants
from targetrl_core.state import Rule, State


def detached_gradient(o: Arrays, c: Arrays) -> Arrays:
    """dL/dz of L = −stop_gradient(r)·log o."""
    return (c.k * jnp.abs(o - c.target) - 1.0) * (1.0 - o)


def pathwise_gradient(o: Arrays, c: Arrays) -> Arrays:
    """dL/dz of L = −r."""
    return c.k * jnp.sign(o - c.target) * (o * (1.0 - o))


GRADIENTS: dict[str, Callable[[Arrays, Arrays], Arrays]] = {"detached": detached_gradient, "pathwise": pathwise_gradient}


def closed_form(rule: Rule, state: Arrays, c: Arrays, row: Arrays) -> tuple[State, tuple[Arrays, Arrays]]:
    """One update: the state after it, and logit and output before it."""
    z = state.weight + state.bias if rule.unit_input else state.weight * c.x + state.bias
    o = jax.nn.sigmoid(z)
    g = GRADIENTS[rule.objective](o, c)
    return updated(rule, state, g if rule.unit_input else g * c.x, g, c, row), (z, o)


def updated(rule: Rule, state: Arrays, g_weight: Arrays, g_bias: Arrays, c: Arrays, row: Arrays) -> State:  # noqa: PLR0913 — what an update takes
    """The state after the gradients of weight and bias."""
    if rule.optimizer == "sgd":
        return State(state.weight - c.lr * g_weight, state.bias - c.lr * g_bias)
    lr, eps = c.lr * row[0], c.eps * row[1]
    m_weight, v_weight, move_weight = _moved(state.m_weight, state.v_weight, g_weight, c, lr, eps)
    if rule.shares_moments:
        m_bias, v_bias, move_bias = None, None, move_weight
    else:
        m_bias, v_bias, move_bias = _moved(state.m_bias, state.v_bias, g_bias, c, lr, eps)
    return State(state.weight - move_weight, state.bias - move_bias, m_weight, v_weight, m_bias, v_bias)


def _moved(m: Arrays, v: Arrays, g: Arrays, c: Arrays, lr: Arrays, eps: Arrays) -> tuple[Arrays, Arrays, Arrays]:  # noqa: PLR0913 — likewise
    m = m + (g - m) * c.rate1
    v = v + (g * g - v) * c.rate2
    return m, v, lr * (m / (jnp.sqrt(v) + eps))


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
