"""What a variant is: a value that says where it can run and how it gets ready."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from targetrl_core.history import History
from targetrl_core.population import Population
from targetrl_core.problem import Problem

Train = Callable[[Population, History | None], Population]
"""All steps of the problem: a population on the device in, the trained one out.

It may consume what it is given. It fills the history, where there is one. Several threads may call it at a time.
"""


class EndState(NamedTuple):
    """Where policies ended and when they first came to the target, on the device; overwritten by the next call.

    Attributes:
        population: the trained population.
        first_steps: first step whose output is within 0.02 of the target, ``steps`` where none is, [N].
        outputs: after the last update, [N] float32.
    """

    population: Population
    first_steps: Tensor
    outputs: Tensor


TrainToEnd = Callable[[Population | range], EndState]
"""All steps of a population on the CPU, which is left as it is, or of the policies that ``Population.initialise`` makes of seeds."""


class Variant(NamedTuple):
    """A way to execute the step.

    Attributes:
        name: row label, test id and JSON key.
        unsupported: why the variant cannot train n policies of a problem on a device, or None where it can.
        prepare: everything that happens once: compile, capture, warm up. Returns what trains. Both are called within ``new_modes``.
        prepare_to_end: likewise, for a variant that makes the start of a population itself, and tells first steps without a history.
    """

    name: str
    unsupported: Callable[[Problem, torch.device, int], str | None]
    prepare: Callable[[Problem, torch.device, int], Train]
    prepare_to_end: Callable[[Problem, torch.device, int], TrainToEnd] | None = None


POLICY_STEP_LIMIT = 100_000
"""Most policy-steps of a run that trains one policy after another: more than ten seconds at about 8,000 a second."""


def not_portable(problem: Problem, name: str) -> str | None:
    """Why a variant built on autograd and torch.optim has no portable arithmetic."""
    if problem.arithmetic == "portable":
        return f"{name} runs PyTorch's own functions, which are not portable arithmetic"
    return None


def too_slow(problem: Problem, n: int, name: str) -> str | None:
    """Why a variant that trains one policy after another does not train as many."""
    if n * problem.steps > POLICY_STEP_LIMIT:
        return f"{name} trains one policy after another: limited to {POLICY_STEP_LIMIT:,} policy-steps"
    return None


def shared_by_optimizer(problem: Problem, names: tuple[str, ...], why: str) -> str | None:
    """Why a constant that an optimiser holds once cannot differ between policies."""
    own = [name for name in names if name in problem.per_policy]
    return f"{why}: {', '.join(own)} must be one number" if own else None
