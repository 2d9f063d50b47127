"""Population: N policies, the state of their optimiser, and their seeds."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import psutil
import torch
from torch import Tensor

from targetrl_core.errors import UsageError
from targetrl_core.listing.start import linear_start

STATE_NAMES = ("weight", "bias", "m_weight", "v_weight", "m_bias", "v_bias")
"""The state tensors of every population: parameters, then Adam's first (m) and second (v) moments of each."""

Seeds = range | Tensor
"""The seed of each policy: consecutive ones, or any, [N] int64 on the CPU, those from 2⁶³ on less 2⁶⁴."""

BYTES_PER_POLICY = 16
"""A fresh population stores weight, bias and the shared moments in float32."""


@dataclass(frozen=True, kw_only=True)
class Population:
    """The state of N policies: six or seven float32 tensors [N] on one device, and the updates they have had.

    Where weight and bias have had the same gradients (x = 1), ``m_bias`` *is* ``m_weight`` and ``v_bias`` *is* ``v_weight``.
    Under SGD the moments stay as they were.

    Attributes:
        weight: w, as ``bias`` and the moments [N] float32.
        bias: b.
        m_weight: Adam's first moment of the weight.
        v_weight: its second moment.
        m_bias: the first moment of the bias.
        v_bias: its second moment.
        age: updates so far.
        baseline: the moving average of the rewards that ``reinforce`` keeps, [N]; None, which stands for zeros, until it has trained.
        seeds: the seed of each policy, by which ``reinforce`` draws its noise; 0 … N − 1 unless given.
    """

    weight: Tensor
    bias: Tensor
    m_weight: Tensor
    v_weight: Tensor
    m_bias: Tensor
    v_bias: Tensor
    age: int = 0
    baseline: Tensor | None = None
    seeds: Seeds = None  # type: ignore[assignment] # which stands for 0 … N − 1 until it is made

    def __post_init__(self) -> None:
        for name in STATE_NAMES:
            _check_state(name, getattr(self, name), self.weight)
        if self.baseline is not None:
            _check_state("baseline", self.baseline, self.weight)
        object.__setattr__(self, "seeds", _counted(self.seeds, self.n))
        _check_seeds(self.seeds, self.n)
        if self.age < 0:
            raise UsageError(f"age is {self.age}; it must be at least 0")

    @classmethod
    def fresh(cls, weight: Tensor, bias: Tensor, seeds: Seeds | None = None) -> Self:
        """A population that starts at ``weight`` and ``bias`` ([N] float32), its moments zero; ``seeds`` as the attribute."""
        m, v = torch.zeros_like(weight), torch.zeros_like(weight)
        moments = {"m_weight": m, "v_weight": v, "m_bias": m, "v_bias": v}
        return cls(weight=weight, bias=bias, **moments, seeds=seeds)  # type: ignore[arg-type] # None is made numbers of

    @classmethod
    def zeros(cls, n: int, device: torch.device) -> Self:
        """n fresh policies whose weight and bias are 0: what a variant warms up with."""
        weight, bias = (torch.zeros(n, dtype=torch.float32, device=device) for _ in range(2))
        return cls.fresh(weight, bias)

    @classmethod
    def initialise(cls, n: int, seed: int = 0, start: int = 0) -> Self:
        """Policies ``seed + start`` … ``seed + start + n − 1``, on the CPU.

        Policy i begins bit for bit as ``nn.Linear(1, 1)`` does under ``torch.manual_seed(seed + i)``, so any slice of a
        population can be made on its own.

        Args:
            n: number of policies, at least 1.
            seed: seed of policy 0, an integer in [−2⁶³, 2⁶⁴) as ``torch.manual_seed`` takes.
            start: first policy of the slice, at least 0.

        Raises:
            UsageError: a value out of its range, or more policies than memory holds (checked before allocating).
        """
        check_seeds(n, seed, start)
        check_memory(n, BYTES_PER_POLICY)
        first = seed + start
        return cls.fresh(*linear_start(first, n), seeds=range(first, first + n))

    @property
    def n(self) -> int:
        """Number of policies."""
        return self.weight.shape[0]

    @property
    def device(self) -> torch.device:
        """Where the state tensors are."""
        return self.weight.device

    @property
    def shares_moments(self) -> bool:
        """Whether weight and bias have one pair of moments between them."""
        return self.m_bias is self.m_weight and self.v_bias is self.v_weight

    def map(self, function: Callable[[Tensor], Tensor]) -> Self:
        """The population with ``function``, which keeps the policies, applied to each state tensor; shared moments stay shared."""
        return self._map(function, self.seeds)

    def _map(self, function: Callable[[Tensor], Tensor], seeds: Seeds) -> Self:
        m, v = function(self.m_weight), function(self.v_weight)
        m_bias, v_bias = (m, v) if self.shares_moments else (function(self.m_bias), function(self.v_bias))
        parameters = {"weight": function(self.weight), "bias": function(self.bias)}
        baseline = None if self.baseline is None else function(self.baseline)
        moments = {"m_weight": m, "v_weight": v, "m_bias": m_bias, "v_bias": v_bias}
        return type(self)(**parameters, **moments, age=self.age, baseline=baseline, seeds=seeds)

    def clone(self) -> Self:
        """A copy that shares no memory with this population."""
        return self.map(lambda tensor: tensor.clone(memory_format=torch.contiguous_format))

    def to(self, device: torch.device | str) -> Self:
        """The population on ``device``; itself where it is there already."""
        return self.map(lambda tensor: tensor.to(device))

    def slice(self, start: int, stop: int) -> Self:
        """Policies ``start`` … ``stop − 1``, as views."""
        return self._map(lambda tensor: tensor[start:stop], self.seeds[start:stop])

    def take(self, policies: Tensor) -> Self:
        """Some policies only, a copy: indices [M] int64 on the population's device."""
        chosen = policies.to("cpu")
        seeds = chosen + wrapped64(self.seeds.start) if isinstance(self.seeds, range) else self.seeds[chosen]
        return self._map(lambda tensor: tensor[policies], seeds)

    def seed_tensor(self, device: torch.device) -> Tensor:
        """The seed of each policy, [N] int64 on ``device``; seeds from 2⁶³ on less 2⁶⁴."""
        if not isinstance(self.seeds, range):
            return self.seeds.to(device)
        return consecutive_seeds(self.seeds.start, self.n, device)

    def tensors(self) -> dict[str, Tensor]:
        """The state tensors by name, [N] each; the baseline where there is one."""
        tensors = {name: getattr(self, name) for name in STATE_NAMES}
        return tensors if self.baseline is None else tensors | {"baseline": self.baseline}


def consecutive_seeds(first: int, n: int, device: torch.device) -> Tensor:
    """Seeds ``first`` … ``first + n − 1``, [n] int64; sums wrap around at 2⁶⁴, as the seeds' own bits do."""
    return torch.arange(n, device=device, dtype=torch.int64) + wrapped64(first)


def check_seeds(n: int, seed: int, start: int = 0) -> None:
    """Raise UsageError unless policies ``seed + start`` … ``seed + start + n − 1`` have seeds that ``torch.manual_seed`` takes."""
    _check_integer("n", n, 1)
    _check_integer("start", start, 0)
    _check_integer("seed", seed, -(2**63))
    if seed + start + n > 2**64:
        raise UsageError(f"seed is {seed}; seed + start + n must be at most 2**64, as torch.manual_seed takes no larger seed")


def check_memory(n: int, bytes_per_policy: int) -> None:
    """Raise UsageError where ``n`` policies need more memory than this host has free."""
    available = psutil.virtual_memory().available
    if n * bytes_per_policy > available:
        most = available // bytes_per_policy
        raise UsageError(f"n is {n}; it must be at most {most}: {bytes_per_policy} bytes a policy, {available / 2**30:.1f} GiB are free")


def wrapped64(seed: int) -> int:
    """The low 64 bits, as int64 has them."""
    return (seed + 2**63) % 2**64 - 2**63


def _check_integer(name: str, value: int, least: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise UsageError(f"{name} is {value!r}; it must be an integer of at least {least}")


def _counted(seeds: Seeds | None, n: int) -> Seeds:
    """The seeds given, or 0 … n − 1 where there are none."""
    return range(n) if seeds is None else seeds


def _check_seeds(seeds: Seeds, n: int) -> None:
    if len(seeds) != n:
        raise UsageError(f"seeds has {len(seeds)} values; it must have one per policy: {n}")
    if seeds.step != 1 if isinstance(seeds, range) else seeds.dtype != torch.int64 or seeds.device.type != "cpu":
        raise UsageError(f"seeds is {seeds!r}; it must be consecutive integers, or an int64 tensor [N] on the CPU")


def _check_state(name: str, tensor: Tensor, like: Tensor) -> None:
    if not isinstance(tensor, Tensor) or tensor.dtype != torch.float32 or tensor.ndim != 1 or tensor.numel() == 0:
        described = f"{tensor.dtype} {list(tensor.shape)}" if isinstance(tensor, Tensor) else type(tensor).__name__
        raise UsageError(f"{name} is {described}; it must be a float32 tensor [N] of at least one policy")
    if tensor.shape != like.shape:
        raise UsageError(f"{name} has {len(tensor)} policies; it must have as many as weight: {len(like)}")
    if tensor.device != like.device:
        raise UsageError(f"{name} is on {tensor.device}; it must be on the device of weight: {like.device}")
