"""What a session finds out once, for all rows that ask for it."""

from dataclasses import dataclass, field

import torch

from targetrl_core import Population, Problem, Variant, train
from targetrl_core.examination import variant_faults
from targetrl_core.listing.outcomes import AT_TARGET

SHARE_AT_TARGET, SAMPLED, MOST_STEPS = 0.95, 10_000, 300
"""When a population counts as trained, how many policies tell, and how long they are given."""


@dataclass
class Once:
    """What has been found out so far."""

    steps: dict[Problem, int | None] = field(default_factory=dict)
    faults: dict[tuple[str, Problem, torch.device], tuple[str, ...]] = field(default_factory=dict)

    def steps_to_target(self, problem: Problem) -> int | None:
        """Updates after which 95 % of 10,000 policies are at target under `pathwise`; None where they never are, in 300."""
        if problem.objective != "pathwise":
            return None
        key = problem.replace(arithmetic="native", steps=MOST_STEPS)
        if key not in self.steps:
            outputs = train(key, Population.initialise(SAMPLED), variant="batched", record=True).history
            self.steps[key] = None if outputs is None else _first_trained(key, outputs)
        return self.steps[key]

    def variant_faults(self, problem: Problem, variant: Variant, device: torch.device) -> tuple[str, ...]:
        """Why a variant does not train other problems than the one it is timed on, or not in every way; the same for every N and steps."""
        key = (variant.name, problem.replace(steps=1), device)
        if key not in self.faults:
            self.faults[key] = tuple(variant_faults(problem, variant, device))
        return self.faults[key]


def _first_trained(problem: Problem, outputs: torch.Tensor) -> int | None:
    """The first row of outputs, [steps, N], of which the share at target is large enough: as many updates came before it."""
    target = torch.as_tensor(problem.target, dtype=torch.float64, device="cpu")
    trained = ((outputs.double() - target).abs() <= AT_TARGET).double().mean(1) >= SHARE_AT_TARGET
    return int(trained.nonzero()[0]) if bool(trained.any()) else None
