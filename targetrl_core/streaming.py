"""stream: train a population of any size from its seeds, a chunk at a time, and keep what can be said of it in constant memory."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, Self

import torch
from torch import Tensor

from targetrl_core.devices import find_device
from targetrl_core.errors import UsageError
from targetrl_core.finishing import chunk_of, finishing
from targetrl_core.outcomes import Outcomes, Thresholds, thresholds
from targetrl_core.population import Population, check_seeds
from targetrl_core.problem import Problem
from targetrl_core.training import choose, require
from targetrl_core.variants import Variant, find_variant
from targetrl_core.variants.variant import Finished, Seeded

BINS = 100
"""Bins of the histogram of outputs, equal ones from 0 to 1."""


@dataclass(frozen=True)
class Summary:
    """What became of the policies trained so far.

    Attributes:
        problem: what they were trained on.
        variant: name of the variant that trained them.
        device: where.
        policies: how many they are.
        outcomes: where they ended.
        histogram: outputs after the last update, counted in ``BINS`` equal bins from 0 to 1, [BINS] int64.
        first_steps: how many policies first came within 0.02 of the target before update t, [steps + 1] int64; the last
            entry counts those that never did.
        checksum: of index and bits of every policy's trained weight and bias; the same for any chunks, threads and, in
            portable arithmetic, any variant and device.
    """

    problem: Problem
    variant: str
    device: str
    policies: int
    outcomes: Outcomes
    histogram: Tensor
    first_steps: Tensor
    checksum: int

    def first_step_quantile(self, share: float) -> int | None:
        """The step before which ``share`` of the policies had first come to the target; None where fewer ever did."""
        reached = self.first_steps[:-1].cumsum(0) >= share * self.policies
        return int(reached.to(torch.int8).argmax()) if bool(reached.any()) else None


def stream(  # noqa: PLR0913 — all but two are keywords
    problem: Problem,
    n: int,
    *,
    seed: int = 0,
    variant: str | Variant = "auto",
    device: str | torch.device = "cpu",
    chunk: int | None = None,
) -> Iterator[Summary]:
    """Train policies ``seed`` … ``seed + n − 1`` a chunk at a time; after each, say what became of all so far.

    The last summary is that of the whole population. Whoever stops earlier loses nothing of what came before.

    Args:
        problem: the constants; those given per policy must have n values.
        n: number of policies, at least 1, as many as there are seeds.
        seed: seed of policy 0, as for ``Population.initialise``.
        variant: a name in ``VARIANTS``, a variant of your own, or ``auto``: the fastest that can run here.
        device: ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
        chunk: policies that are trained at a time; by default what suits the device.

    Raises:
        UsageError: (a ValueError) as ``train`` does.
    """
    place = find_device(device)
    check_seeds(n, seed)
    problem.check_policies(n)
    if chunk is not None and chunk < 1:
        raise UsageError(f"chunk is {chunk}; it must be at least 1")
    chosen = choose(problem, place, n) if variant == "auto" else find_variant(variant) if isinstance(variant, str) else variant
    require(chosen, problem, place, n)
    size = chunk or chunk_of(problem, place, recorded=chosen.prepare_seeded is None)
    return _summaries(_Task(problem, chosen, place, seed), n, size)


class _Task(NamedTuple):
    problem: Problem
    variant: Variant
    device: torch.device
    seed: int


def _summaries(task: _Task, n: int, chunk: int) -> Iterator[Summary]:
    counts = _Counts.none(task.problem)
    ready: tuple[int, Seeded] | None = None
    for start in range(0, n, chunk):
        stop = min(start + chunk, n)
        if ready is None or ready[0] != stop - start or task.problem.policies is not None:
            ready = (stop - start, _ready(task, start, stop))
        counts = counts.plus(_count(task.problem, ready[1](task.seed + start), start))
        yield Summary(
            problem=task.problem,
            variant=task.variant.name,
            device=str(task.device),
            policies=stop,
            outcomes=Outcomes(*counts.outcomes.tolist()),
            histogram=counts.histogram,
            first_steps=counts.first_steps,
            checksum=int(counts.checksum) % 2**64,
        )


def _ready(task: _Task, start: int, stop: int) -> Seeded:
    """What trains policies ``start`` … ``stop − 1``, given the first one's seed."""
    problem = task.problem if task.problem.policies is None else task.problem.take(slice(start, stop))
    if task.variant.prepare_seeded is not None:
        return task.variant.prepare_seeded(problem, task.device, stop - start)
    finish = finishing(task.variant, problem, task.device, stop - start)
    return lambda seed: finish(Population.initialise(stop - start, seed))


class _Counts(NamedTuple):
    """What is kept of a chunk: int64 tensors on the CPU, which add up."""

    outcomes: Tensor
    histogram: Tensor
    first_steps: Tensor
    checksum: Tensor

    @classmethod
    def none(cls, problem: Problem) -> Self:
        return cls(*(torch.zeros(size, dtype=torch.int64) for size in (len(Outcomes._fields), BINS, problem.steps + 1, 1)))

    def plus(self, other: Self) -> Self:
        return type(self)(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))


def _count(problem: Problem, finished: Finished, start: int) -> _Counts:
    outputs = finished.outputs
    n = len(outputs)
    limits = _thresholds(problem, outputs.device, start, n)
    at_target = (outputs >= limits.low) & (outputs <= limits.high)
    collapsed = (outputs <= limits.collapsed) & ~at_target
    saturated = (outputs >= limits.saturated) & ~at_target
    found = torch.stack([at_target.sum(), collapsed.sum(), saturated.sum()]).cpu()
    return _Counts(
        outcomes=torch.cat((found, n - found.sum(0, keepdim=True))),
        histogram=torch.bincount((outputs * BINS).to(torch.int32).clamp_(max=BINS - 1), minlength=BINS).cpu(),
        first_steps=torch.bincount(finished.first_steps.to(torch.int32), minlength=problem.steps + 1).cpu(),
        checksum=_checksum(finished.population, start).sum(0, keepdim=True).cpu(),
    )


@lru_cache(maxsize=1)
def _thresholds_of_all(problem: Problem, device: torch.device) -> Thresholds:
    return thresholds(problem, device)


def _thresholds(problem: Problem, device: torch.device, start: int, n: int) -> Thresholds:
    if problem.policies is None:
        return _thresholds_of_all(problem, device)
    return thresholds(problem.take(slice(start, start + n)), device)


def _checksum(population: Population, start: int) -> Tensor:
    """A word for each policy, made of its index and the bits of its weight and bias, [N] int64; sums wrap around at 2⁶⁴.

    The mixing is that of splitmix64 (Steele, Lea and Flood, 2014), its shifts arithmetic ones, since PyTorch has no other.
    """
    index = torch.arange(start, start + population.n, device=population.device)
    bits = (population.weight.view(torch.int32).to(torch.int64) << 32) ^ (population.bias.view(torch.int32).to(torch.int64) & 0xFFFFFFFF)
    word = index.mul_(_signed(0x9E3779B97F4A7C15)).bitwise_xor_(bits)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        word = word.bitwise_xor_(word >> shift).mul_(_signed(factor))
    return word.bitwise_xor_(word >> 31)


def _signed(word: int) -> int:
    return word - 2**64 if word >= 2**63 else word
