"""train: one call that trains a population with a variant on a device and brings back what became of it."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache

import torch
from torch import Tensor

from targetrl_core.devices import find_device, free_memory
from targetrl_core.errors import FallbackWarning, Fault, UsageError
from targetrl_core.history import History
from targetrl_core.listing.outcomes import Outcomes, count_outcomes, first_steps, outputs_of
from targetrl_core.modes import new_modes
from targetrl_core.population import Population
from targetrl_core.problem import Problem
from targetrl_core.variants import BUILT_IN, Train, Variant, find_variant
from targetrl_core.variants.variant import EndState, TrainToEnd

FASTEST_FIRST = ("fused", "batched-compiled", "batched-graphed", "batched", "batched-vmap", "eager")
"""The order in which ``variant="auto"`` takes the first that can run: steady state of large populations on the CPU, as results/ has it.

The order on GPUs has not been measured."""


@dataclass(frozen=True)
class Run:
    """What a training run brought.

    Attributes:
        problem: what was trained on.
        variant: name of the variant that trained.
        population: the trained population, on the device; train it again to go on.
        history: outputs before each update (what the listing prints), [steps, N] float32 on the CPU; None unless recorded.
        logits: logits before each update, likewise.
    """

    problem: Problem
    variant: str
    population: Population
    history: Tensor | None
    logits: Tensor | None

    @cached_property
    def outputs(self) -> Tensor:
        """σ(w·x + b) after the last update, [N] float32 on the CPU."""
        return outputs_of(self.problem, self.population)

    @cached_property
    def outcomes(self) -> Outcomes:
        """How many policies ended at the target, collapsed, saturated or elsewhere."""
        return count_outcomes(self.outputs, self.problem)


@new_modes()
def train(  # noqa: PLR0913 — all but two are keywords
    problem: Problem,
    population: Population,
    *,
    variant: str = "auto",
    device: str | torch.device = "cpu",
    record: bool = False,
    tell: Callable[[int], object] = lambda _policy_steps: None,
) -> Run:
    """Train all policies of ``population`` for ``problem.steps`` updates; the population itself is left as it is.

    What a variant prepared is kept: a second call with the same shape pays no cold start. The result does not depend on the modes that
    PyTorch is in (default dtype and device, inference mode, autocast, …), nor on what other threads train.

    Args:
        problem: the constants; those given per policy must have one value per policy.
        population: where to begin; fresh, or trained before.
        variant: a name in ``VARIANTS``, or ``auto``: the fastest that can run here.
        device: ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
        record: keep the outputs of every step.
        tell: called with the number of policy-steps that have just been recorded, by variants that record step by step.

    Raises:
        UsageError: (a ValueError) unknown names, an absent device, a variant that cannot run this, sizes that do not fit,
            or a history that memory does not hold.
    """
    place = find_device(device)
    problem.check_policies(population.n)
    chosen = named(variant, problem, place, population.n)
    run = prepared(chosen, problem, place, population.n)
    history = _history(problem, population.n, place, tell) if record else None
    # A variant may consume what it trains: it gets a copy, also where the population is on the device already.
    trained = run(population.map(lambda tensor: tensor.detach().to(place, copy=True)), history)
    if history is None:
        return Run(problem, chosen.name, trained, None, None)
    return Run(problem, chosen.name, trained, history.outputs.to("cpu"), history.logits.to("cpu"))


def named(variant: str | Variant, problem: Problem, device: torch.device, n: int) -> Variant:
    """The variant that is meant: by its name, by ``auto``, which chooses, or by itself.

    Where ``auto`` passes over a variant for a fault of this machine, it warns of it (FallbackWarning).

    Raises:
        UsageError: no variant has that name.
    """
    if isinstance(variant, Variant):
        return variant
    if variant != "auto":
        return find_variant(variant)
    chosen, faults = _choice(problem, device, n)
    if faults:
        # At the line of the user's that trains, where ``train`` was called.
        warnings.warn(f"{'; '.join(faults)}; {chosen.name} trains instead", FallbackWarning, stacklevel=4)
    return chosen


def choose(problem: Problem, device: torch.device, n: int) -> Variant:
    """The fastest built-in variant that can train n policies of a problem on a device: of no other is known here how fast it is."""
    return _choice(problem, device, n)[0]


TRIED = 1 << 16
"""Most policies that a variant is prepared for to see whether it can be."""


def _choice(problem: Problem, device: torch.device, n: int) -> tuple[Variant, list[str]]:
    """The same, and which faster ones a fault of this machine keeps from running; after one, the next are tried before they are taken."""
    by_name = {variant.name: variant for variant in BUILT_IN}
    faults: list[str] = []
    for name in FASTEST_FIRST:
        variant = by_name[name]
        reason = variant.unsupported(problem, device, n)
        if reason is None and faults:
            reason = _why_not_prepared(variant, problem, device, n)
        if reason is None:
            return variant, faults
        if isinstance(reason, Fault):
            faults.append(f"{name} cannot run here: {reason}")
    raise UsageError("; ".join(faults))


def _why_not_prepared(variant: Variant, problem: Problem, device: torch.device, n: int) -> str | None:
    policies = problem.policies or n
    few = min(policies, TRIED)
    try:
        prepared(variant, problem if few == policies or problem.policies is None else problem.take(slice(0, few)), device, few)
    except UsageError as error:
        return Fault(error)
    return None


def prepared(variant: Variant, problem: Problem, device: torch.device, n: int) -> Train:
    """The variant, ready to train n policies; kept from the last time. Raises UsageError where it cannot."""
    require(variant, problem, device, n)
    return _prepared(variant, problem, device, n)


@lru_cache(maxsize=16)
def _prepared(variant: Variant, problem: Problem, device: torch.device, n: int) -> Train:
    return variant.prepare(problem, device, n)


def prepared_to_end(variant: Variant, problem: Problem, device: torch.device, n: int) -> TrainToEnd:
    """The variant, ready to train n policies, or those of n seeds, and to tell first steps; where it does neither, its history is read."""
    if variant.prepare_to_end is not None:
        return variant.prepare_to_end(problem, device, n)
    run = prepared(variant, problem, device, n)

    def train(start: Population | range) -> EndState:
        population = Population.initialise(n, start.start) if isinstance(start, range) else start
        history = History.empty(problem.steps, n, device)
        # A variant may consume what it trains: it gets a copy.
        trained = run(population.map(lambda tensor: tensor.to(device, copy=True)), history)
        return EndState(trained, first_steps(problem, history).to(device), outputs_of(problem, trained).to(device))

    return train


def require(variant: Variant, problem: Problem, device: torch.device, n: int) -> None:
    """Raise UsageError, with the reason, where a variant cannot train n policies of a problem on a device."""
    reason = variant.unsupported(problem, device, n)
    if reason is not None:
        raise UsageError(f"variant {variant.name} cannot run here: {reason}")


def _history(problem: Problem, n: int, device: torch.device, tell: Callable[[int], object]) -> History:
    needed, free = 2 * History.bytes(problem.steps, n), min(free_memory(device), free_memory(torch.device("cpu")))
    if needed > free:
        size = f"{needed / 2**30:.1f} GiB for {problem.steps} steps of {n} policies"
        raise UsageError(f"record is True; it needs {size}, and {free / 2**30:.1f} GiB are free")
    return History.empty(problem.steps, n, device, tell)
