"""The optimisers, as ``torch.optim`` defines them: pure functions from a state and a gradient to the state after the update.

Adam is Kingma and Ba, 2015 (algorithm 1, in the order that the end of section 2 gives).
"""

from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor

from targetrl_core.modes import new_modes
from targetrl_core.problem import Constants, Problem
from targetrl_core.state import Rule, State, Tick, present


def sgd(rule: Rule, state: State, g: Tensor, c: Constants, _tick: Tick) -> State:
    """``torch.optim.SGD`` without momentum: p − lr·gradient."""
    g_bias, g_weight = _parameter_gradients(rule, g, c)
    return state._replace(weight=state.weight - c.lr * g_weight, bias=state.bias - c.lr * g_bias)


def adam(rule: Rule, state: State, g: Tensor, c: Constants, tick: Tick) -> State:
    """``torch.optim.Adam``: p − lr·m̂/(√v̂ + eps), with the bias corrections moved into lr and eps."""
    sqrt = rule.arithmetic.sqrt
    correction1, correction2 = state.bias_correction1, state.bias_correction2
    if correction1 is not None and correction2 is not None:
        correction1, correction2 = next_correction(correction1, c.rate1), next_correction(correction2, c.rate2)
        root = sqrt(correction2)
        scale = root / correction1
    else:
        scale, root = present(tick.correction).unbind()
    lr, eps = c.lr * scale, c.eps * root

    def moved(m: Tensor | None, v: Tensor | None, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        m, v = present(m), present(v)
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
    return state._replace(weight=weight, bias=bias, **moments, bias_correction1=correction1, bias_correction2=correction2)


def next_correction(correction: Tensor, rate: Tensor) -> Tensor:
    """1 − beta^(t + 1) of 1 − beta^t, given 1 − beta."""
    return correction + (1.0 - correction) * rate


def _parameter_gradients(rule: Rule, g: Tensor, c: Constants) -> tuple[Tensor, Tensor]:
    """The gradients of bias and weight."""
    settle = rule.arithmetic.settle_gradient
    g_bias = settle(g)
    return g_bias, g_bias if rule.unit_input else settle(g * c.x)


UPDATES: dict[str, Callable[[Rule, State, Tensor, Constants, Tick], State]] = {"adam": adam, "sgd": sgd}
"""By the optimiser's name: rule, state, dL/dz, constants and this step's → the state after the update."""


def correction_table(problem: Problem, age: int, device: torch.device) -> Tensor | None:
    """Adam's bias corrections: [steps, 4] rows of √(1 − beta2^t)/(1 − beta1^t), √(1 − beta2^t) and twice 0; None under SGD.

    They are computed in float64 and rounded once, and kept, since a CUDA graph can be captured only where nothing is copied to
    the device. Policies with betas of their own carry theirs in the state instead, as a table of them would be [steps, N]: None.
    """
    betas = shared_betas(problem)
    return None if betas is None else corrections(*betas, age, problem.steps, device)


def shared_betas(problem: Problem) -> tuple[float, float] | None:
    """The betas that all policies share, if the optimiser has any."""
    if problem.optimizer == "sgd" or problem.own_betas:
        return None
    return float(problem.beta1), float(problem.beta2)  # type: ignore[arg-type] # one number each


PAGE = 1024
"""Rows of corrections that are made at a time: a loop that trains step by step has a new age at each."""


def corrections(beta1: float, beta2: float, age: int, steps: int, device: torch.device) -> Tensor:
    """The rows of ``correction_table``, [steps, 4]."""
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
