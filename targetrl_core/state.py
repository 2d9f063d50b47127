"""The state that a step turns into the next, and what goes with it: the rule it is compiled for, what each step brings and puts out."""

from typing import NamedTuple, TypeVar

from torch import Tensor

from targetrl_core.arithmetic import Arithmetic, Unary

T = TypeVar("T")


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

    ``bias_correction1`` and ``bias_correction2`` are 1 − beta1^t and 1 − beta2^t after t steps, kept where policies have betas of their
    own. ``baseline`` is the moving average of the rewards, and ``seeds`` says whose noise is drawn, int64: both under ``reinforce``.
    """

    weight: Tensor
    bias: Tensor
    m_weight: Tensor | None = None
    v_weight: Tensor | None = None
    m_bias: Tensor | None = None
    v_bias: Tensor | None = None
    bias_correction1: Tensor | None = None
    bias_correction2: Tensor | None = None
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


def present(value: T | None) -> T:
    """What the rule needs, and hence has."""
    if value is None:
        raise TypeError("the rule needs what the state, the tick or the rule itself leaves out")
    return value
