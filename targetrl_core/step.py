"""The training step, once: pure functions on tensors, which the batched variants transform.

    z = w·x + b        o = σ(z)        g = dL/dz        gradient of w: g·x, of b: g        then Adam or SGD

Every tensor is [N], or 0-d where all policies share a value. Sources: the objectives' closed forms are derived in the
README; Adam is Kingma and Ba, 2015 (algorithm 1, in the order that the end of section 2 gives), as ``torch.optim.Adam`` defines it.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from targetrl_core.arithmetic import Arithmetic, arithmetic
from targetrl_core.history import History
from targetrl_core.population import Population
from targetrl_core.problem import Constants, Problem


class Rule(NamedTuple):
    """What a step is compiled for: everything about a problem that is not a number."""

    objective: str
    optimizer: str
    arithmetic: Arithmetic
    unit_input: bool
    shares_moments: bool
    own_betas: bool


class State(NamedTuple):
    """What one step turns into the next: [N] each; None where the rule has no use for it.

    ``decay1`` and ``decay2`` are 1 − beta1^t and 1 − beta2^t after t steps, kept where policies have betas of their own.
    """

    weight: Tensor
    bias: Tensor
    m_weight: Tensor | None = None
    v_weight: Tensor | None = None
    m_bias: Tensor | None = None
    v_bias: Tensor | None = None
    decay1: Tensor | None = None
    decay2: Tensor | None = None


class Forward(NamedTuple):
    """What a policy computes before its update: logit z and output o = σ(z), [N] each."""

    logit: Tensor
    output: Tensor


Gradient = Callable[[Tensor, Constants], Tensor]


def detached_gradient(o: Tensor, c: Constants) -> Tensor:
    """dL/dz of L = −stop_gradient(r)·log o: −r·(1 − o), where r = 1 − k·|o − target|."""
    reward = 1.0 - c.k * torch.abs(o - c.target)
    return -(reward * (1.0 - o))


def pathwise_gradient(o: Tensor, c: Constants) -> Tensor:
    """dL/dz of L = −r: k·sign(o − target)·o·(1 − o)."""
    return c.k * torch.sign(o - c.target) * (o * (1.0 - o))


GRADIENTS: dict[str, Gradient] = {"detached": detached_gradient, "pathwise": pathwise_gradient}


def step(rule: Rule, state: State, c: Constants, correction: Tensor | None) -> tuple[State, Forward]:
    """One update of a population.

    Args:
        rule: what is computed.
        state: the population before the update.
        c: the constants.
        correction: this step's row of ``corrections``; None under SGD and where policies have betas of their own.

    Returns:
        The state after the update, and what the policies put out before it.
    """
    z = state.weight + state.bias if rule.unit_input else state.weight * c.x + state.bias
    o = rule.arithmetic.sigmoid(z)
    g = GRADIENTS[rule.objective](o, c)
    update = adam if rule.optimizer == "adam" else sgd
    return update(rule, state, g, c, correction), Forward(z, o)


def advance(rule: Rule, state: State, c: Constants, rows: Sequence[Tensor | None], history: History | None) -> State:
    """All steps of a run: one for each of ``rows``, as ``corrections`` gives them; fills the history, where there is one."""
    for t, row in enumerate(rows):
        state, forward = step(rule, state, c, row)
        if history is not None:
            history.record(t, *forward)
    return state


def sgd(rule: Rule, state: State, g: Tensor, c: Constants, _correction: Tensor | None) -> State:
    """``torch.optim.SGD`` without momentum: p − lr·gradient."""
    g_bias, g_weight = _parameter_gradients(rule, g, c)
    return state._replace(weight=state.weight - c.lr * g_weight, bias=state.bias - c.lr * g_bias)


def adam(rule: Rule, state: State, g: Tensor, c: Constants, correction: Tensor | None) -> State:
    """``torch.optim.Adam``: p − lr·m̂/(√v̂ + eps), with the bias corrections moved into lr and eps."""
    sqrt = rule.arithmetic.sqrt
    decay1, decay2 = state.decay1, state.decay2
    if decay1 is not None and decay2 is not None:
        decay1 = decay1 + (1.0 - decay1) * c.rate1
        decay2 = decay2 + (1.0 - decay2) * c.rate2
        root = sqrt(decay2)
        scale = root / decay1
    else:
        scale, root = _unwrap(correction).unbind()
    lr, eps = c.lr * scale, c.eps * root

    def moved(m: Tensor | None, v: Tensor | None, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        m, v = _unwrap(m), _unwrap(v)
        m = rule.arithmetic.settle_moment(m + (gradient - m) * c.rate1)
        v = rule.arithmetic.settle_moment(v + (gradient * gradient - v) * c.rate2)
        return m, v, lr * (m / (sqrt(v) + eps))

    g_bias, g_weight = _parameter_gradients(rule, g, c)
    m_weight, v_weight, move_weight = moved(state.m_weight, state.v_weight, g_weight)
    if rule.shares_moments:
        m_bias, v_bias, move_bias = None, None, move_weight
    else:
        m_bias, v_bias, move_bias = moved(state.m_bias, state.v_bias, g_bias)
    return State(state.weight - move_weight, state.bias - move_bias, m_weight, v_weight, m_bias, v_bias, decay1, decay2)


def _parameter_gradients(rule: Rule, g: Tensor, c: Constants) -> tuple[Tensor, Tensor]:
    """The gradients of bias and weight."""
    settle = rule.arithmetic.settle_gradient
    g_bias = settle(g)
    return g_bias, g_bias if rule.unit_input else settle(g * c.x)


def rule_for(problem: Problem, population: Population, *, compiled: bool = False) -> Rule:
    """The rule by which ``population`` is trained on ``problem``."""
    return Rule(
        objective=problem.objective,
        optimizer=problem.optimizer,
        arithmetic=arithmetic(problem.arithmetic, population.device, compiled=compiled),
        unit_input=problem.unit_input,
        # Legal where x = 1: both parameters then have the same gradients, hence, from one start, the same moments.
        shares_moments=problem.unit_input and population.shares_moments,
        own_betas=problem.own_betas and problem.optimizer == "adam",
    )


def begin(rule: Rule, population: Population, c: Constants) -> State:
    """The state that the first step takes: views of the population's tensors, and the decays where policies have their own."""
    if rule.optimizer == "sgd":
        return State(population.weight, population.bias)
    state = State(population.weight, population.bias, population.m_weight, population.v_weight)
    if not rule.shares_moments:
        m_bias, v_bias = population.m_bias, population.v_bias
        if population.shares_moments:  # they part from here on, and a variant may update them in place
            m_bias, v_bias = m_bias.clone(), v_bias.clone()
        state = state._replace(m_bias=m_bias, v_bias=v_bias)
    if rule.own_betas:
        decay1 = decay2 = torch.zeros_like(population.weight)
        for _ in range(population.age):
            decay1 = decay1 + (1.0 - decay1) * c.rate1
            decay2 = decay2 + (1.0 - decay2) * c.rate2
        # Two tensors of their own, as a variant may update them in place.
        state = state._replace(decay1=decay1.clone(), decay2=decay2.clone())
    return state


def end(rule: Rule, population: Population, state: State, steps: int) -> Population:
    """The trained population, made of the last state."""
    age = population.age + steps
    if state.m_weight is None or state.v_weight is None:
        kept = population.tensors() | {"weight": state.weight, "bias": state.bias}
        return Population(**kept, age=age)
    m_bias = state.m_weight if rule.shares_moments else _unwrap(state.m_bias)
    v_bias = state.v_weight if rule.shares_moments else _unwrap(state.v_bias)
    moments = {"m_weight": state.m_weight, "v_weight": state.v_weight, "m_bias": m_bias, "v_bias": v_bias}
    return Population(weight=state.weight, bias=state.bias, **moments, age=age)


@lru_cache(maxsize=64)
def corrections(problem: Problem, age: int, device: torch.device) -> tuple[Tensor | None, ...]:
    """The bias corrections of each step: the rows [2] of ``correction_table``, or None; kept as it is."""
    table = correction_table(problem, age, device)
    return (None,) * problem.steps if table is None else table[:, :2].unbind(0)


@lru_cache(maxsize=64)
def correction_table(problem: Problem, age: int, device: torch.device) -> Tensor | None:
    """Adam's bias corrections: [steps, 4] rows of √(1 − beta2^t)/(1 − beta1^t), √(1 − beta2^t) and twice 0; None under SGD.

    They are computed in float64 and rounded once, and kept, since a CUDA graph can be captured only where nothing is copied to
    the device. Policies with betas of their own carry theirs in the state instead, as a table of them would be [steps, N]: None.
    """
    if problem.optimizer == "sgd" or problem.own_betas:
        return None
    t = torch.arange(age + 1, age + problem.steps + 1, dtype=torch.float64)
    # 1 − beta^t through expm1, which is exact where beta^t is close to 1; log 0 = −∞ gives 1, as it should.
    first, second = (-torch.expm1(t * torch.log(torch.tensor(beta, dtype=torch.float64))) for beta in (problem.beta1, problem.beta2))
    root = torch.sqrt(second)
    # Rows start 16 bytes apart: Inductor copies inputs that are not aligned so.
    table = torch.zeros(problem.steps, 4)
    table[:, 0], table[:, 1] = root / first, root
    return table.to(device)


def _unwrap(tensor: Tensor | None) -> Tensor:
    if tensor is None:
        raise TypeError("the rule needs a tensor that the state or the caller left out")
    return tensor
