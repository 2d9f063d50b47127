"""What a fused kernel is built for, and what it is given."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from targetrl_core.arithmetic import NATIVE
from targetrl_core.history import History
from targetrl_core.listing.outcomes import thresholds
from targetrl_core.noise import key_words
from targetrl_core.optimizers import correction_table
from targetrl_core.problem import Problem
from targetrl_core.state import Rule, State

SOURCES = Path(__file__).parent

STEP_LIMIT = 1 << 24
"""Most steps of a run whose first steps at target are counted: in float32."""


SEEDS = State._fields.index("seeds")
"""Where the seeds stand among the state tensors: last."""


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


class Operands(NamedTuple):
    """Tensors that a kernel may be handed, None where it has no use for one, and where they begin, 0 for None."""

    tensors: tuple[Tensor | None, ...]
    addresses: tuple[int, ...]


NOTHING = Operands((None,), (0,))


def operands(tensors: Sequence[Tensor | None], shape: tuple[int, ...], device: torch.device) -> Operands:
    """The float32 tensors, checked. Raises ValueError, as ``address_of`` does."""
    return Operands(tuple(tensors), tuple([address_of(tensor, shape, device) for tensor in tensors]))


def address_of(tensor: Tensor | None, shape: tuple[int, ...], device: torch.device, dtype: torch.dtype = torch.float32) -> int:
    """Where a tensor begins, 0 for None: a kernel knows addresses alone, and reads and writes past what is not as it expects.

    Raises:
        ValueError: a tensor of another shape, dtype or device, one with gaps, or one that begins within a number.
    """
    if tensor is None:
        return 0
    address = tensor.data_ptr()
    size = 4 if dtype is torch.float32 else dtype.itemsize
    if tensor.dtype is dtype and tensor.shape == shape and tensor.device == device and tensor.is_contiguous() and not address % size:
        return address
    described = f"{tensor.dtype} {list(tensor.shape)} on {tensor.device}"
    raise ValueError(f"the kernel is given {described}; it must be {dtype} {list(shape)}, contiguous and aligned, on {device}")


@dataclass(frozen=True, kw_only=True)
class KernelTask:
    """What a kernel works on: all tensors float32 (the seeds of the state int64), contiguous and on the device of the constants.

    Attributes:
        n: policies.
        steps: updates of each.
        state: where the policies begin and end, [N] each; overwritten.
        constants: as the step takes them, then the outermost outputs at target: 0-d, or [N] each where any differs between policies.
        correction: Adam's bias corrections, [steps, 4] with the first two of each row in use, or none.
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
    constants: Operands
    correction: Operands
    draw: Draw = NO_DRAW
    seed: int | None = None
    history: History | None = None
    first: Tensor | None = None
    last: Tensor | None = None

    def tensors(self) -> tuple[Tensor | None, ...]:
        """All tensors, in the order in which every launcher takes them."""
        recorded = (None, None) if self.history is None else (self.history.logits, self.history.outputs)
        return (*self.state, *self.constants.tensors, *self.correction.tensors, *recorded, self.first, self.last)

    def addresses(self) -> tuple[int, ...]:
        """Where they begin. Raises ValueError for a tensor that is not as described above."""
        device, each = self.constants.tensors[0].device, (self.n,)  # type: ignore[union-attr] # none of them is None
        # Lists, and no calls for what is not there: of a call of one policy this is a tenth.
        state = [0 if tensor is None else address_of(tensor, each, device) for tensor in self.state[:SEEDS]]
        seeds = address_of(self.state.seeds, each, device, torch.int64)
        logits = outputs = 0
        if self.history is not None:
            rows = (self.steps, self.n)
            logits, outputs = address_of(self.history.logits, rows, device), address_of(self.history.outputs, rows, device)
        ends = (address_of(self.first, each, device), address_of(self.last, each, device))
        return (*state, seeds, *self.constants.addresses, *self.correction.addresses, logits, outputs, *ends)


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


def constants_of(problem: Problem, device: torch.device) -> Operands:
    """The constants of the step and the outermost outputs at target: 0-d, or, where any has one value per policy, [N] each."""
    limits = thresholds(problem, device)
    values = (*problem.constants(device), limits.low, limits.high)
    if problem.policies is None:
        return operands(values, (), limits.low.device)  # with its index, which ``device`` may lack
    return operands([value.expand(problem.policies).contiguous() for value in values], (problem.policies,), limits.low.device)


def correction_of(problem: Problem, age: int, device: torch.device) -> Operands:
    """The bias corrections of a run that begins after ``age`` updates, where the optimiser has any that all policies share."""
    table = correction_table(problem, age, device)
    return NOTHING if table is None else operands([table], (problem.steps, 4), table.device)


@cache
def gpu_source(name: str, kernel: Kernel) -> str:
    """The launcher ``name`` with its macros and the shared headers in it: GPU compilers are given one text, and no folder to look into."""
    text = (SOURCES / name).read_text(encoding="utf-8")
    for header in ("policy.h", "noise.h", "start.h"):
        text = text.replace(f'#include "{header}"', (SOURCES / header).read_text(encoding="utf-8"))
    macros = "".join(f"#define {macro} {value}\n" for macro, value in kernel.macros().items())
    return macros + text
