"""verify: does a variant, on a device, converge identically? The examination that every timing has passed."""

import time
from dataclasses import dataclass

import torch

from targetrl_core.certification import certify
from targetrl_core.convergence import UNDECIDED, Expectation, Identity, check, undecided
from targetrl_core.devices import find_device
from targetrl_core.examination import changed_fields, recording_faults, training_faults, variant_faults
from targetrl_core.listing.outcomes import Outcomes
from targetrl_core.modes import new_modes
from targetrl_core.population import Population
from targetrl_core.problem import Problem
from targetrl_core.surroundings import Surroundings
from targetrl_core.training import prepared, require
from targetrl_core.variants import Variant, find_variant


@dataclass(frozen=True)
class Report:
    """What the examination of a variant found.

    Attributes:
        variant: its name.
        device: where it ran.
        problem: what it was trained on.
        identity: the check of the population itself.
        reasons: why the variant is not identical, one line each; empty where it is.
        seconds: wall time of the examination, oracle and preparation included.
    """

    variant: str
    device: str
    problem: Problem
    identity: Identity
    reasons: tuple[str, ...]
    seconds: float

    @property
    def identical(self) -> bool:
        """Whether every check passed."""
        return not self.reasons

    @property
    def level(self) -> str:
        """``bitwise``, ``bounded``, ``undecided`` (too many policies hang on a rounding error) or ``diverged``."""
        if self.identical:
            return self.identity.level
        return "undecided" if undecided(self.reasons) else "diverged"

    @property
    def max_ulp(self) -> float:
        """Largest distance of any state tensor from the oracle, in ulp."""
        return self.identity.max_ulp

    @property
    def ambiguous(self) -> int:
        """Policies whose course hangs on a rounding error."""
        return self.identity.ambiguous

    @property
    def flips(self) -> int:
        """Unambiguous policies whose outcome is not the oracle's."""
        return self.identity.flips

    @property
    def outcomes(self) -> Outcomes:
        """Where the policies ended."""
        return self.identity.outcomes


@new_modes()
def verify(
    problem: Problem,
    population: Population,
    *,
    variant: str | Variant,
    device: str | torch.device = "cpu",
    expectation: Expectation | None = None,
) -> Report:
    """Check that a variant trains ``population`` as the problem calls for.

    It is trained as it would be timed, once more with its outputs recorded, and as ``targetrl_core.examination`` says: on populations that
    nobody has seen, on some that go on, on another problem, and in every way that the variant offers. What it may not leave changed is
    looked at before and after it.

    Args:
        problem: the constants.
        population: where to begin; left as it is.
        variant: a name in ``VARIANTS``, or a variant of your own.
        device: where to train.
        expectation: what ``certify`` said of this problem and population, where several variants are verified.

    Raises:
        UsageError: (a ValueError) as ``train`` does.
    """
    since = time.perf_counter()
    place = find_device(device)
    chosen = find_variant(variant) if isinstance(variant, str) else variant
    problem.check_policies(population.n)
    require(chosen, problem, place, population.n)
    expectation = expectation or certify(problem, population)
    handed, before = problem.replace(), Surroundings.look()
    run = prepared(chosen, handed, place, population.n)
    start = population.to(place)
    timed = run(start.clone(), None)
    identity = check(expectation, timed)
    reasons = (
        *identity.reasons,
        *recording_faults(problem, start, timed, expectation, chosen, run),
        *training_faults(problem, run, place, population.n),
        *variant_faults(problem, chosen, place),
        *changed_fields(problem, handed),
        *before.put_back(),
        *_changed_result(expectation, identity, timed),
        *_alone_and_ambiguous(expectation),
    )
    return Report(chosen.name, str(place), problem, identity, reasons, time.perf_counter() - since)


def _alone_and_ambiguous(expectation: Expectation) -> tuple[str, ...]:
    """Why nothing can be said of a population of one: among several, ``check`` allows it to hang on a rounding error."""
    if len(expectation.outcome) > 1 or expectation.bits is not None or not bool(expectation.reference.undetermined.all()):
        return ()
    return (f"{UNDECIDED}the one policy hangs on a rounding error; portable arithmetic decides",)


def _changed_result(expectation: Expectation, identity: Identity, timed: Population) -> tuple[str, ...]:
    """Why a result is no longer what it was when it was checked: calls have been made since."""
    if undecided(identity.reasons) and not undecided(check(expectation, timed).reasons):
        return ("a result changed when the variant was called again",)
    return ()
