"""What a fused kernel is built for, and what it is given."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from targetrl_core.arithmetic import NATIVE
from targetrl_core.history import History
from targetrl_core.noise import key_words
from targetrl_core.outcomes import thresholds
from targetrl_core.problem import Problem
from targetrl_core.step import Rule, State

SOURCES = Path(__file__).parent

STEP_LIMIT = 1 << 24
"""Most steps of a run whose first steps at target are counted: in float32."""


class Kernel(NamedTuple):
    """What a kernel is built for: the macros of ``policy.h``."""

    pathwise: bool
    reinforce: bool
    baseline: bool
    one_sample: bool
    adam: bool
    portable: bool
    unit_input: bool
    shared_moments: bool
    own_betas: bool
    per_policy: bool

    def macros(self) -> dict[str, str]:
        """The macros by name, each 0 or 1."""
        return {name.upper(): str(int(value)) for name, value in self._asdict().items()}


class Draw(NamedTuple):
    """Which noise a run draws: ``samples`` each step, counted from ``first_step`` on, under a key of two 32-bit words."""

    samples: int = 0
    first_step: int = 0
    key_low: int = 0
    key_high: int = 0


NO_DRAW = Draw()


@dataclass(frozen=True, kw_only=True)
class Task:
    """What a kernel works on: all tensors float32 (the seeds of the state int64), contiguous and on one device.

    Attributes:
        n: policies.
        steps: updates of each.
        state: where the policies begin and end, [N] each; overwritten.
        constants: as the step takes them, then the outermost outputs at target: 0-d, or [N] each where any differs between policies.
        correction: Adam's bias corrections, [steps, 4] with the first two of each row in use, or None.
        draw: the noise, where the objective has any.
        seed: the low 32 bits of the first policy's seed, where the policies begin as ``Population.initialise`` makes them,
            whatever the state holds; None where they begin as it says.
        history: filled, where there is one.
        first: first step at target, ``steps`` where none is, [N]; filled, where there is one, instead of a history.
        last: outputs after the last update, [N]; filled together with ``first``.
    """

    n: int
    steps: int
    state: State
    constants: tuple[Tensor, ...]
    correction: Tensor | None
    draw: Draw = NO_DRAW
    seed: int | None = None
    history: History | None = None
    first: Tensor | None = None
    last: Tensor | None = None

    def tensors(self) -> tuple[Tensor | None, ...]:
        """All tensors, in the order in which every launcher takes them."""
        recorded = (None, None) if self.history is None else (self.history.logits, self.history.outputs)
        return (*self.state, *self.constants, self.correction, *recorded, self.first, self.last)

    def addresses(self) -> tuple[int, ...]:
        """Where the tensors begin; 0 for what is not there."""
        return tuple([0 if tensor is None else tensor.data_ptr() for tensor in self.tensors()])  # a list: half the time of a generator


def kernel_of(rule: Rule, *, per_policy: bool) -> Kernel:
    """The kernel that trains by a rule."""
    return Kernel(
        pathwise=rule.objective == "pathwise",
        reinforce=rule.objective == "reinforce",
        baseline=rule.baseline,
        one_sample=rule.samples == 1,
        adam=rule.optimizer == "adam",
        portable=rule.arithmetic != NATIVE,
        unit_input=rule.unit_input,
        shared_moments=rule.shares_moments,
        own_betas=rule.own_betas,
        per_policy=per_policy,
    )


def draw_of(problem: Problem, age: int) -> Draw:
    """The noise of a run that begins after ``age`` updates."""
    return Draw(problem.samples, age, *key_words(problem.noise_seed)) if problem.objective == "reinforce" else NO_DRAW


def constants_of(problem: Problem, device: torch.device) -> tuple[Tensor, ...]:
    """The constants of the step and the outermost outputs at target: 0-d, or, where any has one value per policy, [N] each."""
    limits = thresholds(problem, device)
    values = (*problem.constants(device), limits.low, limits.high)
    if problem.policies is None:
        return values
    return tuple(value.expand(problem.policies).contiguous() for value in values)
