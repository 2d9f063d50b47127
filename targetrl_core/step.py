"""The training step, once: pure functions on tensors, which the batched variants transform.

    z = w·x + b        o = σ(z)        g = dL/dz        gradient of w: g·x, of b: g        then Adam or SGD

Every tensor is [N], or 0-d where all policies share a value. The gradients stand in ``listing/gradients.py``, the updates in
``optimizers.py``.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import torch
from torch import Tensor

from targetrl_core.arithmetic import arithmetic
from targetrl_core.history import History
from targetrl_core.listing.gradients import gradient
from targetrl_core.modes import new_modes
from targetrl_core.noise import draw_table
from targetrl_core.optimizers import UPDATES, corrections, next_correction, shared_betas
from targetrl_core.population import Population
from targetrl_core.problem import Constants, Problem
from targetrl_core.state import Forward, Rule, State, Tick, present


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
    g, state = gradient(rule, state, o, c, tick)
    return UPDATES[rule.optimizer](rule, state, g, c, tick), Forward(z, o)


def run_steps(rule: Rule, state: State, c: Constants, ticks: Sequence[Tick], history: History | None) -> State:
    """All steps of a run: one for each of ``ticks``; fills the history, where there is one."""
    for t, tick in enumerate(ticks):
        state, forward = step(rule, state, c, tick)
        if history is not None:
            history.record(t, *forward)
    return state


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
    """The moments, and the bias corrections where policies have betas of their own."""
    state = state._replace(m_weight=population.m_weight, v_weight=population.v_weight)
    if not rule.shares_moments:
        m_bias, v_bias = population.m_bias, population.v_bias
        if population.shares_moments:  # they part from here on, and a variant may update them in place
            m_bias, v_bias = m_bias.clone(), v_bias.clone()
        state = state._replace(m_bias=m_bias, v_bias=v_bias)
    if rule.own_betas:
        correction1 = correction2 = torch.zeros_like(population.weight)
        for _ in range(population.age):
            correction1, correction2 = next_correction(correction1, c.rate1), next_correction(correction2, c.rate2)
        # Two tensors of their own, as a variant may update them in place.
        state = state._replace(bias_correction1=correction1.clone(), bias_correction2=correction2.clone())
    return state


def end(rule: Rule, population: Population, state: State, steps: int) -> Population:
    """The trained population, made of the last state."""
    changed = {"weight": state.weight, "bias": state.bias}
    if state.baseline is not None:
        changed["baseline"] = state.baseline
    if state.m_weight is not None and state.v_weight is not None:
        changed |= {"m_weight": state.m_weight, "v_weight": state.v_weight}
        changed["m_bias"] = state.m_weight if rule.shares_moments else present(state.m_bias)
        changed["v_bias"] = state.v_weight if rule.shares_moments else present(state.v_bias)
    return replace(population, **changed, age=population.age + steps)


def ticks(problem: Problem, age: int, device: torch.device) -> tuple[Tick, ...]:
    """What differs from step to step, of a population that has had ``age`` updates; kept as it is."""
    return _ticks(shared_betas(problem), problem.noise_seed if problem.objective == "reinforce" else None, age, problem.steps, device)


@lru_cache(maxsize=64)
@new_modes()
def _ticks(betas: tuple[float, float] | None, noise_seed: int | None, age: int, steps: int, device: torch.device) -> tuple[Tick, ...]:
    """Kept by the numbers they are made of: a problem would keep the constants of all its policies alive."""
    by_step: Sequence[Tensor | None] = (None,) * steps if betas is None else corrections(*betas, age, steps, device)[:, :2].unbind(0)
    draws = (None,) * steps if noise_seed is None else draw_table(noise_seed, age, steps, device).unbind(0)
    return tuple(map(Tick, by_step, draws))
