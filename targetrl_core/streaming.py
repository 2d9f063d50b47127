"""stream: train a population of any size from its seeds, a chunk at a time, and keep what can be said of it in constant memory."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from hashlib import sha256
from typing import NamedTuple, Self

import torch
from torch import Tensor

from targetrl_core.devices import find_device
from targetrl_core.errors import UsageError
from targetrl_core.listing.outcomes import Outcomes, Thresholds, thresholds
from targetrl_core.modes import new_modes
from targetrl_core.population import Population, check_seeds, wrapped64
from targetrl_core.problem import Problem
from targetrl_core.training import named, prepared_to_end, require
from targetrl_core.variants import Variant
from targetrl_core.variants.variant import EndState, TrainToEnd

Fact = int | float | str

BINS = 100
"""Bins of the histogram of outputs, equal ones from 0 to 1."""

CPU_CHUNK, GPU_CHUNK = 1 << 17, 1 << 25
"""Policies of a chunk: what fits the caches of a CPU; what fills a GPU."""

HISTORY_CHUNK = 1 << 24
"""Policy-steps of a chunk where a variant has to record all outputs to tell the first step at target: 128 MiB."""

ALIGNED = 1024
"""Chunks and shards begin at multiples of it: where a processor's vectors end, PyTorch takes other functions than within them."""


@dataclass(frozen=True)
class Summary:
    """What became of the policies trained so far. Summaries of different policies add up.

    Attributes:
        problem: what they were trained on.
        variant: name of the variant that trained them.
        device: where.
        policies: how many they are.
        outcomes: where they ended.
        histogram: outputs after the last update, counted in ``BINS`` equal bins from 0 to 1, [BINS] int64; NaN is in none.
        first_steps: how many policies first came within 0.02 of the target before update t, [steps + 1] int64; the last
            entry counts those that never did.
        checksum: of index and bits of every policy's trained weight and bias: in portable arithmetic the same for any chunks,
            threads, shards, variant and device; in native arithmetic for any chunks, threads and shards of ``fused``.
    """

    problem: Problem
    variant: str
    device: str
    policies: int
    outcomes: Outcomes
    histogram: Tensor
    first_steps: Tensor
    checksum: int

    @classmethod
    def nothing(cls, problem: Problem, variant: str, device: str) -> Self:
        """Of no policies yet."""
        bins, steps = torch.zeros(BINS, dtype=torch.int64, device="cpu"), torch.zeros(problem.steps + 1, dtype=torch.int64, device="cpu")
        return cls(problem, variant, device, 0, Outcomes(0, 0, 0, 0), bins, steps, 0)

    def plus(self, other: "Summary") -> Self:
        """Of the policies of both, which must be different ones; problem, variant and device are this one's."""
        return type(self)(
            problem=self.problem,
            variant=self.variant,
            device=self.device,
            policies=self.policies + other.policies,
            outcomes=Outcomes(*map(sum, zip(self.outcomes, other.outcomes, strict=True))),
            histogram=self.histogram + other.histogram,
            first_steps=self.first_steps + other.first_steps,
            checksum=(self.checksum + other.checksum) % 2**64,
        )

    def first_step_quantile(self, share: float) -> int | None:
        """The step before which ``share`` of the policies had first come to the target; None where fewer ever did."""
        reached = self.first_steps[:-1].cumsum(0) >= share * self.policies
        return int(reached.to(torch.int8).argmax()) if bool(reached.any()) else None


class Plan(NamedTuple):
    """A population that is to be trained: checked, and its variant chosen."""

    problem: Problem
    n: int
    variant: Variant
    device: torch.device
    seed: int
    chunk: int

    def nothing(self) -> Summary:
        """The summary of a population of which no policy has been trained."""
        return Summary.nothing(self.problem, self.variant.name, str(self.device))

    def train(self, span: range, before: Summary | None = None) -> Iterator[Summary]:
        """Train policies ``span.start`` … ``span.stop − 1``, of which ``before`` has had the first; after each chunk, all so far."""
        total = before or self.nothing()
        ready: tuple[int, TrainToEnd, Thresholds] | None = None
        for start in range(span.start + total.policies, span.stop, self.chunk):
            stop = min(start + self.chunk, span.stop)
            with new_modes():  # what the caller does between chunks is not to be in them
                if ready is None or ready[0] != stop - start or self.problem.policies is not None:
                    problem = self.problem if self.problem.policies is None else self.problem.take(slice(start, stop))
                    train = prepared_to_end(self.variant, problem, self.device, stop - start)
                    ready = (stop - start, train, thresholds(problem, self.device))
                _, train, limits = ready
                total = total.plus(_summary(self, train(range(self.seed + start, self.seed + stop)), start, limits))
            yield total

    def facts(self) -> dict[str, Fact]:
        """What the result depends on, by name; constants given per policy by their digest.

        Equal facts are equal bits of ``fused``, and of every variant in portable arithmetic. In native arithmetic the last bits of the
        others depend on chunks and threads too.
        """
        problem = {field.name: _fact(getattr(self.problem, field.name)) for field in fields(self.problem)}
        return {"population": self.n, "seed": self.seed, "variant": self.variant.name, "device": self.device.type, **problem}


def plan(  # noqa: PLR0913 — those of stream
    problem: Problem,
    n: int,
    *,
    seed: int = 0,
    variant: str | Variant = "auto",
    device: str | torch.device = "cpu",
    chunk: int | None = None,
) -> Plan:
    """What ``stream`` trains, checked; arguments and errors are those of ``stream``."""
    place = find_device(device)
    check_seeds(n, seed)
    problem.check_policies(n)
    if chunk is not None and chunk < 1:
        raise UsageError(f"chunk is {chunk}; it must be at least 1")
    chosen = named(variant, problem, place, n)
    require(chosen, problem, place, n)
    return Plan(problem, n, chosen, place, seed, chunk or chunk_of(chosen, problem, place))


def chunk_of(variant: Variant, problem: Problem, device: torch.device) -> int:
    """How many policies are trained at a time."""
    if variant.prepare_to_end is None:
        most = max(1, HISTORY_CHUNK // problem.steps)
        return most - most % ALIGNED or most
    return CPU_CHUNK if device.type == "cpu" else GPU_CHUNK


def stream(  # noqa: PLR0913 — all but two are keywords
    problem: Problem,
    n: int,
    *,
    seed: int = 0,
    variant: str | Variant = "auto",
    device: str | torch.device = "cpu",
    chunk: int | None = None,
    span: range | None = None,
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
        span: train these of the n policies only; summaries of spans that together are all add up to that of the population.

    Raises:
        UsageError: (a ValueError) as ``train`` does.
    """
    planned = plan(problem, n, seed=seed, variant=variant, device=device, chunk=chunk)
    if span is not None and not (span.step == 1 and 0 <= span.start <= span.stop <= n):
        raise UsageError(f"span is {span}; it must be a range of policies within 0 … {n - 1}, all of them")
    return planned.train(range(n) if span is None else span)


def require_equal(where: str, theirs: dict[str, Fact], ours: dict[str, Fact]) -> None:
    """Raise UsageError, naming the first key and both values, where two runs are not one."""
    for key in [*ours, *theirs]:
        if theirs.get(key) != ours.get(key):
            raise UsageError(f"{where}{key} is {theirs.get(key, 'missing')}, and this run's is {ours.get(key, 'missing')}")


def _fact(value: object) -> Fact:
    if isinstance(value, Tensor):
        return f"sha256 {sha256(value.numpy().astype('<f8').tobytes()).hexdigest()}"
    return value if isinstance(value, (int, float)) else str(value)


def _summary(plan: Plan, ended: EndState, start: int, limits: Thresholds) -> Summary:
    """Of a chunk, whose first policy is ``start``."""
    outputs, problem = ended.outputs, plan.problem
    n = len(outputs)
    at_target = (outputs >= limits.low) & (outputs <= limits.high)
    collapsed = (outputs <= limits.collapsed) & ~at_target
    saturated = (outputs >= limits.saturated) & ~at_target
    at_target_n, collapsed_n, saturated_n = torch.stack([at_target.sum(), collapsed.sum(), saturated.sum()]).tolist()
    return Summary(
        problem=problem,
        variant=plan.variant.name,
        device=str(plan.device),
        policies=n,
        outcomes=Outcomes(at_target_n, collapsed_n, saturated_n, n - at_target_n - collapsed_n - saturated_n),
        histogram=_histogram(outputs),
        first_steps=torch.bincount(ended.first_steps.to(torch.int32), minlength=problem.steps + 1).cpu(),
        checksum=int(_checksum(ended.population, start).sum()) % 2**64,
    )


def _histogram(outputs: Tensor) -> Tensor:
    """How many outputs lie in each bin, [BINS] int64 on the CPU; those that are NaN lie in none."""
    # Devices differ in which integer NaN becomes: it goes to a bin of its own, the last.
    bins = torch.where(outputs >= 0.0, (outputs * BINS).clamp_(max=BINS - 1), BINS).to(torch.int32)
    return torch.bincount(bins, minlength=BINS + 1)[:BINS].cpu()


def _checksum(population: Population, start: int) -> Tensor:
    """A word for each policy, made of its index and the bits of its weight and bias, [N] int64; sums wrap around at 2⁶⁴.

    The mixing is that of splitmix64 (Steele, Lea and Flood, 2014), its shifts arithmetic ones, since PyTorch has no other.
    """
    index = torch.arange(start, start + population.n, device=population.device, dtype=torch.int64)
    bits = (population.weight.view(torch.int32).to(torch.int64) << 32) ^ (population.bias.view(torch.int32).to(torch.int64) & 0xFFFFFFFF)
    word = index.mul_(wrapped64(0x9E3779B97F4A7C15)).bitwise_xor_(bits)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        word = word.bitwise_xor_(word >> shift).mul_(wrapped64(factor))
    return word.bitwise_xor_(word >> 31)
