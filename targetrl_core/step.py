"""The training step, once: pure functions on tensors, which the batched variants transform.

    z = w·x + b        o = σ(z)        g = dL/dz        gradient of w: g·x, of b: g        then Adam or SGD

Every tensor is [N], or 0-d where all policies share a value. Sources: the objectives' closed forms are derived in the README;
``reinforce`` is Williams, 1992; Adam is Kingma and Ba, 2015 (algorithm 1, in the order that the end of section 2 gives), as
``torch.optim.Adam`` defines it.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from targetrl_core.arithmetic import Arithmetic, Unary, arithmetic
from targetrl_core.history import History
from targetrl_core.modes import new_modes
from targetrl_core.noise import draw_table, noise
from targetrl_core.population import Population
from targetrl_core.problem import Constants, Problem


class Rule(NamedTuple):
    """What a step is compiled for: everything about a problem that is not a number.

    ``baseline`` (whether there is one), ``samples`` and ``noise_root``, the root that noise is made with, count under ``reinforce`` alone.
    """

    objective: str
    optimizer: str
    arithmetic: Arithmetic
    unit_input: bool
    shares_moments: bool
    own_betas: bool
    baseline: bool = False
    samples: int = 0
    noise_root: Unary | None = None


class State(NamedTuple):
    """What one step turns into the next: [N] each; None where the rule has no use for it.

    ``decay1`` and ``decay2`` are 1 − beta1^t and 1 − beta2^t after t steps, kept where policies have betas of their own. ``baseline`` is
    the moving average of the rewards, and ``seeds`` says whose noise is drawn, int64: both under ``reinforce``.
    """

    weight: Tensor
    bias: Tensor
    m_weight: Tensor | None = None
    v_weight: Tensor | None = None
    m_bias: Tensor | None = None
    v_bias: Tensor | None = None
    decay1: Tensor | None = None
    decay2: Tensor | None = None
    baseline: Tensor | None = None
    seeds: Tensor | None = None


class Tick(NamedTuple):
    """What differs from step to step and is the same for all policies, as tensors, so that compiled steps take any.

    Attributes:
        correction: Adam's bias corrections, a row of ``correction_table``, [2]; None under SGD and where policies have betas of their own.
        draw: which noise is drawn, a row of ``draw_table``, [4]; None but under ``reinforce``.
    """

    correction: Tensor | None
    draw: Tensor | None


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
"""Those that the output alone decides."""


def reinforce_gradient(rule: Rule, state: State, o: Tensor, c: Constants, tick: Tick) -> tuple[Tensor, Tensor | None]:
    """An estimate of dL/dz of L = −E[r(a)], a drawn from the normal distribution about o, and the baseline after it.

    The mean over the samples of −(r − baseline)·(ε/σ)·o·(1 − o), where a = o + σ·ε and r = 1 − k·|a − target|.
    """
    scores: Tensor | None = None
    rewards: Tensor | None = None
    for epsilon in noise(_unwrap(state.seeds), _unwrap(tick.draw), rule.samples, _root(rule)):
        action = c.sigma * epsilon + o
        reward = 1.0 - c.k * torch.abs(action - c.target)
        advantage = reward if state.baseline is None else reward - state.baseline
        score = advantage * epsilon
        scores = score if scores is None else scores + score
        rewards = reward if rewards is None else rewards + reward
    g = -((_unwrap(scores) * c.score) * (o * (1.0 - o)))
    if state.baseline is None:
        return g, None
    change = (_unwrap(rewards) * c.share - state.baseline) * c.baseline_rate
    return g, rule.arithmetic.settle_moment(state.baseline + change)


def step(rule: Rule, state: State, c: Constants, tick: Tick) -> tuple[State, Forward]:
    """One update of a population.

    Args:
        rule: what is computed.
        state: the population before the update.
        c: the constants.
        tick: this step's.

    Returns:
        The state after the update, and what the policies put out before it.
    """
    z = state.weight + state.bias if rule.unit_input else state.weight * c.x + state.bias
    o = rule.arithmetic.sigmoid(z)
    if rule.objective == "reinforce":
        g, baseline = reinforce_gradient(rule, state, o, c, tick)
        state = state._replace(baseline=baseline)
    else:
        g = GRADIENTS[rule.objective](o, c)
    update = adam if rule.optimizer == "adam" else sgd
    return update(rule, state, g, c, tick), Forward(z, o)


def advance(rule: Rule, state: State, c: Constants, ticks: Sequence[Tick], history: History | None) -> State:
    """All steps of a run: one for each of ``ticks``; fills the history, where there is one."""
    for t, tick in enumerate(ticks):
        state, forward = step(rule, state, c, tick)
        if history is not None:
            history.record(t, *forward)
    return state


def sgd(rule: Rule, state: State, g: Tensor, c: Constants, _tick: Tick) -> State:
    """``torch.optim.SGD`` without momentum: p − lr·gradient."""
    g_bias, g_weight = _parameter_gradients(rule, g, c)
    return state._replace(weight=state.weight - c.lr * g_weight, bias=state.bias - c.lr * g_bias)


def adam(rule: Rule, state: State, g: Tensor, c: Constants, tick: Tick) -> State:
    """``torch.optim.Adam``: p − lr·m̂/(√v̂ + eps), with the bias corrections moved into lr and eps."""
    sqrt = rule.arithmetic.sqrt
    decay1, decay2 = state.decay1, state.decay2
    if decay1 is not None and decay2 is not None:
        decay1 = decay1 + (1.0 - decay1) * c.rate1
        decay2 = decay2 + (1.0 - decay2) * c.rate2
        root = sqrt(decay2)
        scale = root / decay1
    else:
        scale, root = _unwrap(tick.correction).unbind()
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
    moments = {"m_weight": m_weight, "v_weight": v_weight, "m_bias": m_bias, "v_bias": v_bias}
    weight, bias = state.weight - move_weight, state.bias - move_bias
    return state._replace(weight=weight, bias=bias, **moments, decay1=decay1, decay2=decay2)


def _parameter_gradients(rule: Rule, g: Tensor, c: Constants) -> tuple[Tensor, Tensor]:
    """The gradients of bias and weight."""
    settle = rule.arithmetic.settle_gradient
    g_bias = settle(g)
    return g_bias, g_bias if rule.unit_input else settle(g * c.x)


def rule_for(problem: Problem, population: Population, *, compiled: bool = False) -> Rule:
    """The rule by which ``population`` is trained on ``problem``."""
    draws = problem.objective == "reinforce"
    return Rule(
        objective=problem.objective,
        optimizer=problem.optimizer,
        arithmetic=arithmetic(problem.arithmetic, population.device, compiled=compiled),
        unit_input=problem.unit_input,
        # Legal where x = 1: both parameters then have the same gradients, hence, from one start, the same moments.
        shares_moments=problem.unit_input and population.shares_moments,
        own_betas=problem.own_betas and problem.optimizer == "adam",
        baseline=problem.keeps_baseline,
        samples=problem.samples if draws else 0,
        noise_root=arithmetic("portable", population.device, compiled=compiled).sqrt if draws else None,
    )


def begin(rule: Rule, population: Population, c: Constants) -> State:
    """The state that the first step takes: views of the population's tensors, and what else the rule has use for."""
    state = State(population.weight, population.bias)
    if rule.optimizer == "adam":
        state = _with_moments(rule, state, population, c)
    if rule.objective != "reinforce":
        return state
    if rule.baseline:
        state = state._replace(baseline=torch.zeros_like(population.weight) if population.baseline is None else population.baseline)
    return state._replace(seeds=population.seed_tensor(population.device))


def _with_moments(rule: Rule, state: State, population: Population, c: Constants) -> State:
    """The moments, and the decays where policies have betas of their own."""
    state = state._replace(m_weight=population.m_weight, v_weight=population.v_weight)
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
    changed = {"weight": state.weight, "bias": state.bias}
    if state.baseline is not None:
        changed["baseline"] = state.baseline
    if state.m_weight is not None and state.v_weight is not None:
        changed |= {"m_weight": state.m_weight, "v_weight": state.v_weight}
        changed["m_bias"] = state.m_weight if rule.shares_moments else _unwrap(state.m_bias)
        changed["v_bias"] = state.v_weight if rule.shares_moments else _unwrap(state.v_bias)
    return replace(population, **changed, age=population.age + steps)


def ticks(problem: Problem, age: int, device: torch.device) -> tuple[Tick, ...]:
    """What differs from step to step, of a population that has had ``age`` updates; kept as it is."""
    return _ticks(_betas(problem), problem.noise_seed if problem.objective == "reinforce" else None, age, problem.steps, device)


@lru_cache(maxsize=64)
@new_modes()
def _ticks(betas: tuple[float, float] | None, noise_seed: int | None, age: int, steps: int, device: torch.device) -> tuple[Tick, ...]:
    """Kept by the numbers they are made of: a problem would keep the constants of all its policies alive."""
    corrections: Sequence[Tensor | None] = (None,) * steps if betas is None else _corrections(*betas, age, steps, device)[:, :2].unbind(0)
    draws = (None,) * steps if noise_seed is None else draw_table(noise_seed, age, steps, device).unbind(0)
    return tuple(map(Tick, corrections, draws))


def correction_table(problem: Problem, age: int, device: torch.device) -> Tensor | None:
    """Adam's bias corrections: [steps, 4] rows of √(1 − beta2^t)/(1 − beta1^t), √(1 − beta2^t) and twice 0; None under SGD.

    They are computed in float64 and rounded once, and kept, since a CUDA graph can be captured only where nothing is copied to
    the device. Policies with betas of their own carry theirs in the state instead, as a table of them would be [steps, N]: None.
    """
    betas = _betas(problem)
    return None if betas is None else _corrections(*betas, age, problem.steps, device)


def _betas(problem: Problem) -> tuple[float, float] | None:
    """The betas that all policies share, if the optimiser has any."""
    if problem.optimizer == "sgd" or problem.own_betas:
        return None
    return float(problem.beta1), float(problem.beta2)  # type: ignore[arg-type] # one number each


PAGE = 1024
"""Rows of corrections that are made at a time: a loop that trains step by step has a new age at each."""


def _corrections(beta1: float, beta2: float, age: int, steps: int, device: torch.device) -> Tensor:
    before = age % PAGE
    pages = -(-(before + steps) // PAGE)
    return _pages(beta1, beta2, age - before, pages * PAGE, device)[before : before + steps]


@lru_cache(maxsize=64)
@new_modes()
def _pages(beta1: float, beta2: float, age: int, count: int, device: torch.device) -> Tensor:
    t = torch.arange(age + 1, age + count + 1, dtype=torch.float64, device="cpu")
    # 1 − beta^t through expm1, which is exact where beta^t is close to 1; log 0 = −∞ gives 1, as it should.
    first, second = (-torch.expm1(t * torch.log(torch.tensor(beta, dtype=torch.float64, device="cpu"))) for beta in (beta1, beta2))
    root = torch.sqrt(second)
    # Rows start 16 bytes apart: Inductor copies inputs that are not aligned so.
    table = torch.zeros(count, 4, dtype=torch.float32, device="cpu")
    table[:, 0], table[:, 1] = root / first, root
    return table.to(device)


def _root(rule: Rule) -> Unary:
    if rule.noise_root is None:
        raise TypeError("the rule has no root to make noise with")
    return rule.noise_root


def _unwrap(tensor: Tensor | None) -> Tensor:
    if tensor is None:
        raise TypeError("the rule needs a tensor that the state or the caller left out")
    return tensor
