"""Problem: every constant of the training step, validated once and never changed."""

import math
import numbers
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor

from targetrl_core.errors import UsageError, one_of
from targetrl_core.listing.defaults import BASELINES, DEFAULTS, NOISE_SEED, OBJECTIVES, SAMPLES, STEPS, Baseline, Objective
from targetrl_core.names import ARITHMETICS, OPTIMIZERS, Arithmetic, Optimizer

Constant = float | Sequence[float] | Tensor
"""One number for all policies, or one value per policy, [N]."""


class _Range(NamedTuple):
    contains: Callable[[Tensor], Tensor]
    text: str


_POSITIVE = _Range(lambda value: value > 0, "a positive number")
_DECAY = _Range(lambda value: (value >= 0) & (value < 1), "a number in [0, 1)")
# A narrower policy's actions would differ from its output by no more than float32's rounding.
_WIDTH = _Range(lambda value: (value >= 1e-4) & (value <= 1e4), "a number from 0.0001 to 10000")  # noqa: PLR2004 — its range
_RANGES = {
    "target": _Range(lambda value: (value > 0) & (value < 1), "a number between 0 and 1, both excluded"),
    "k": _POSITIVE,
    "x": _Range(torch.isfinite, "a finite number"),
    "lr": _POSITIVE,
    "beta1": _DECAY,
    "beta2": _DECAY,
    "eps": _POSITIVE,
    "sigma": _WIDTH,
    "baseline_decay": _DECAY,
}
CONSTANTS = tuple(_RANGES)
"""Names of the constants that may differ from policy to policy."""

MOST_SAMPLES = 1024
"""Most actions of a step: a compiled step has code for each."""


class Constants(NamedTuple):
    """What the step multiplies with: float32 on one device, 0-d or [N] each.

    Every value is derived in float64 and rounded once. ``rate1`` and ``rate2`` are 1 − beta1 and 1 − beta2, ``baseline_rate`` is
    1 − baseline_decay, and ``one_over_samples_sigma`` 1/(samples·sigma).
    """

    x: Tensor
    target: Tensor
    k: Tensor
    lr: Tensor
    rate1: Tensor
    rate2: Tensor
    eps: Tensor
    sigma: Tensor
    one_over_samples: Tensor
    one_over_samples_sigma: Tensor
    baseline_rate: Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class Problem:
    """What the policies are trained on. All fields are keywords; the defaults are those of the listing (``listing/defaults.py``).

    Args:
        objective: ``detached`` (the listing: the reward carries no gradient), ``pathwise`` (its gradient is followed) or ``reinforce``
            (its gradient is estimated from actions that are drawn about the output).
        optimizer: ``adam`` (``torch.optim.Adam``) or ``sgd`` (``torch.optim.SGD`` without momentum).
        arithmetic: ``native`` (each executor's own float32 functions) or ``portable`` (the same bits everywhere).
        steps: updates of one run, at least 1.
        target: output to reach, in (0, 1).
        k: how fast the reward falls with the distance from the target: r = 1 − k·|o − target|.
        x: input of the policy, σ(w·x + b).
        lr: learning rate.
        beta1: decay of Adam's first moment, in [0, 1).
        beta2: decay of Adam's second moment, in [0, 1).
        eps: what Adam adds to the root of the second moment.
        sigma: standard deviation of the actions under ``reinforce``, a = o + sigma·ε, from 0.0001 to 10000.
        baseline: what ``reinforce`` takes off the reward: ``moving-average`` of the rewards so far, from 0 on, or ``none``.
        baseline_decay: how much of that average each step keeps, in [0, 1).
        samples: actions that are drawn each step under ``reinforce``, at least 1; their gradients are averaged.
        noise_seed: which noise is drawn, an integer in [−2⁶³, 2⁶⁴).

    ``target``, ``k``, ``x``, ``lr``, ``beta1``, ``beta2``, ``eps``, ``sigma`` and ``baseline_decay`` take one number, or one value per
    policy as a sequence or tensor [N], kept as float64.

    Raises:
        UsageError: (a ValueError) a value outside its range, naming the field, the value and the range.
    """

    objective: Objective = OBJECTIVES[0]
    optimizer: Optimizer = OPTIMIZERS[0]
    arithmetic: Arithmetic = ARITHMETICS[0]
    steps: int = STEPS
    target: Constant = DEFAULTS["target"]
    k: Constant = DEFAULTS["k"]
    x: Constant = DEFAULTS["x"]
    lr: Constant = DEFAULTS["lr"]
    beta1: Constant = DEFAULTS["beta1"]
    beta2: Constant = DEFAULTS["beta2"]
    eps: Constant = DEFAULTS["eps"]
    sigma: Constant = DEFAULTS["sigma"]
    baseline: Baseline = BASELINES[0]
    baseline_decay: Constant = DEFAULTS["baseline_decay"]
    samples: int = SAMPLES
    noise_seed: int = NOISE_SEED

    def __post_init__(self) -> None:
        _check_name("objective", self.objective, OBJECTIVES)
        _check_name("optimizer", self.optimizer, OPTIMIZERS)
        _check_name("arithmetic", self.arithmetic, ARITHMETICS)
        _check_name("baseline", self.baseline, BASELINES)
        _check_integer("steps", self.steps, range(1, 2**32), "an integer of at least 1, below 2³²")
        _check_integer("samples", self.samples, range(1, MOST_SAMPLES + 1), f"an integer from 1 to {MOST_SAMPLES}")
        _check_integer("noise_seed", self.noise_seed, range(-(2**63), 2**64), "an integer in [−2⁶³, 2⁶⁴)")
        for name in CONSTANTS:
            object.__setattr__(self, name, _checked_constant(name, getattr(self, name)))
        lengths = {name: len(value) for name, value in self.per_policy.items()}
        if len(set(lengths.values())) > 1:
            described = ", ".join(f"{name} [{length}]" for name, length in lengths.items())
            raise UsageError(f"constants given per policy must have one length, found {described}")

    @cached_property
    def per_policy(self) -> dict[str, Tensor]:
        """The constants that have one value per policy: name → [N] float64."""
        values = {name: getattr(self, name) for name in CONSTANTS}
        return {name: value for name, value in values.items() if isinstance(value, Tensor)}

    @property
    def policies(self) -> int | None:
        """N when a constant has one value per policy, otherwise None: any population will do."""
        return next((len(value) for value in self.per_policy.values()), None)

    @property
    def unit_input(self) -> bool:
        """Whether x = 1 for every policy: the gradients of weight and bias are then the same bits."""
        return not isinstance(self.x, Tensor) and self.x == 1.0

    @property
    def keeps_baseline(self) -> bool:
        """Whether training moves the population's baseline."""
        return self.objective == "reinforce" and self.baseline == "moving-average"

    @property
    def own_betas(self) -> bool:
        """Whether the policies differ in beta1 or beta2, hence in Adam's bias corrections."""
        return isinstance(self.beta1, Tensor) or isinstance(self.beta2, Tensor)

    def check_policies(self, n: int) -> None:
        """Raise UsageError unless a population of ``n`` policies fits the constants given per policy."""
        for name, value in self.per_policy.items():
            if len(value) != n:
                raise UsageError(f"{name} has {len(value)} values; it must have one, or one per policy: {n}")

    def constants(self, device: torch.device) -> Constants:
        """The float32 constants of the step on ``device``."""

        def rounded(value: Constant) -> Tensor:
            return torch.as_tensor(value, dtype=torch.float64, device="cpu").to(torch.float32).to(device)

        return Constants(
            x=rounded(self.x),
            target=rounded(self.target),
            k=rounded(self.k),
            lr=rounded(self.lr),
            rate1=rounded(1.0 - as_float64(self.beta1)),
            rate2=rounded(1.0 - as_float64(self.beta2)),
            eps=rounded(self.eps),
            sigma=rounded(self.sigma),
            one_over_samples=rounded(1.0 / self.samples),
            one_over_samples_sigma=rounded(1.0 / (self.samples * as_float64(self.sigma))),
            baseline_rate=rounded(1.0 - as_float64(self.baseline_decay)),
        )

    def replace(self, **changes: Any) -> Self:  # noqa: ANN401 — the fields differ in type
        """A copy with some fields changed, validated anew."""
        return replace(self, **changes)

    def take(self, policies: Tensor | slice) -> Self:
        """The problem of some policies only: indices [M] or a slice."""
        return self.replace(**{name: value[policies] for name, value in self.per_policy.items()})

    def _key(self) -> tuple[object, ...]:
        # A tensor stands for itself: two problems are equal when they share it.
        values = (getattr(self, field.name) for field in fields(self))
        return tuple(id(value) if isinstance(value, Tensor) else value for value in values)

    def __eq__(self, other: object) -> bool:
        """Equal where every constant is; a per-policy constant equals only the same tensor."""
        return isinstance(other, Problem) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())


def as_float64(value: Constant) -> Tensor:
    """A constant as a float64 tensor on the CPU, 0-d or [N]."""
    return torch.as_tensor(value, dtype=torch.float64, device="cpu")


def value_of(value: Constant, policy: int) -> float:
    """The constant of one policy, as a Python float."""
    return float(value[policy]) if isinstance(value, Tensor) else float(value)  # type: ignore[arg-type]


def _check_name(field: str, value: str, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise UsageError(f"{field} is {value!r}; it must be one of {one_of(allowed)}")


def _check_integer(field: str, value: int, allowed: range, text: str) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value not in allowed:
        raise UsageError(f"{field} is {value!r}; it must be {text}")


def _checked_constant(name: str, value: Constant) -> float | Tensor:
    if isinstance(value, (str, bytes, bool)):
        raise UsageError(f"{name} is {value!r}; it must be {_RANGES[name].text}")
    try:
        tensor = torch.as_tensor(value, dtype=torch.float64, device="cpu").detach().cpu()
    except (TypeError, ValueError, RuntimeError) as error:
        raise UsageError(f"{name} is {value!r}; it must be {_RANGES[name].text}, or one per policy") from error
    if tensor.ndim > 1 or tensor.numel() == 0:
        raise UsageError(f"{name} has shape {list(tensor.shape)}; it must be one number, or one per policy, [N]")
    _check_range(name, tensor)
    if isinstance(value, numbers.Real) or tensor.ndim == 0:
        return float(tensor)
    return tensor.clone()


def _check_range(name: str, tensor: Tensor) -> None:
    # The step computes in float32: a value that rounds out of its range there is refused here.
    rounded = tensor.to(torch.float32)
    smallest = torch.finfo(torch.float32).smallest_normal
    normal = (tensor == 0) | (rounded.abs() >= smallest)
    good = tensor.isfinite() & rounded.isfinite() & normal
    good &= _RANGES[name].contains(tensor) & _RANGES[name].contains(_rounded_as_used(name, tensor))
    if bool(good.all()):
        return
    at = int((~good).flatten().nonzero()[0])
    where = f"{name}[{at}]" if tensor.ndim else name
    bad = tensor.flatten()[at].item()
    inside = math.isfinite(bad) and bool(_RANGES[name].contains(torch.tensor(bad, dtype=torch.float64, device="cpu")))
    unit = ", also as a normal float32" if inside else ""
    raise UsageError(f"{where} is {bad!r}; it must be {_RANGES[name].text}{unit}")


def _rounded_as_used(name: str, tensor: Tensor) -> Tensor:
    """What the step sees of a constant: decays enter as 1 − decay, which has no trouble near 1."""
    return tensor if _RANGES[name] is _DECAY else tensor.to(torch.float32)
