"""Summary: what can be said of a population of any size in constant memory."""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from targetrl_core.listing.outcomes import Outcomes
from targetrl_core.problem import Problem

BINS = 100
"""Bins of the histogram of outputs, equal ones from 0 to 1."""


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
