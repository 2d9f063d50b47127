"""What the oracle says of some hundred policies of each kind, in a few numbers each: `python -m tests.golden_bounds` writes them anew."""

import json
from collections.abc import Iterator
from hashlib import sha256
from itertools import product
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from targetrl_core import Population, Problem, train
from targetrl_core.convergence import expect
from targetrl_core.listing.defaults import OBJECTIVES
from targetrl_core.names import OPTIMIZERS
from targetrl_core.problem import CONSTANTS

FILE = Path(__file__).parent / "golden" / "bounds.json"


def cases() -> Iterator[tuple[str, Problem, Population]]:
    """Every objective and optimiser, with and without x = 1, and what else changes the oracle's account."""
    population = Population.initialise(200, seed=41)
    for objective, optimizer, x in product(OBJECTIVES, OPTIMIZERS, (1.0, -1.7)):
        lr = 0.1 if optimizer == "adam" else 0.3
        yield f"{objective}, {optimizer}, x = {x}", Problem(objective=objective, optimizer=optimizer, x=x, lr=lr, steps=12), population
    spread = torch.arange(200) / 199  # a division, correctly rounded: `linspace` has other last bits on other processors
    own = {
        "lr": 0.03 + 0.1 * spread,
        "beta1": 0.7 + 0.2 * spread,
        "beta2": 0.9 + 0.09 * spread,
        "eps": 1e-8 + 1e-6 * spread,
        "k": 3 + 4 * spread,
    }
    for objective in OBJECTIVES:
        yield f"{objective}, constants of their own", Problem(objective=objective, steps=12, **own), population  # type: ignore[arg-type]
    yield "reinforce, five samples", Problem(objective="reinforce", samples=5, steps=6), population
    yield "reinforce, no baseline", Problem(objective="reinforce", baseline="none", steps=6), population
    yield "pathwise, 60 steps", Problem(objective="pathwise", steps=60), population
    # In portable arithmetic, as the start of what goes on has to be the same on every processor.
    older = train(Problem(steps=9, arithmetic="portable"), population, variant="batched").population
    yield "detached, going on", Problem(steps=6, x=0.5), older
    for objective, where, output, room, steps in (
        ("detached", "at the kink", 0.6, 1e-5, 6),
        ("detached", "one step at the kink", 0.6, 1e-6, 1),
        ("pathwise", "at the kink", 0.8, 1e-6, 6),
        ("pathwise", "at the threshold", 0.78, 1e-6, 6),
    ):
        near = torch.logit(output + room * (2 * spread.double() - 1)).float()
        yield f"{objective}, {where}", Problem(objective=objective, steps=steps), Population.fresh(near, torch.zeros(200))


def digest() -> str:
    """A digest of the bits that the oracle is given: starts, and constants of policies' own."""
    made = sha256()
    for _, problem, population in cases():
        constants = [getattr(problem, name) for name in CONSTANTS]
        for tensor in (*population.tensors().values(), *(value for value in constants if isinstance(value, Tensor))):
            made.update(tensor.numpy().tobytes())
    return made.hexdigest()


def summary(problem: Problem, population: Population) -> dict[str, Any]:
    """Of each tensor one number that every policy has a part in, the later ones a larger part."""
    expectation = expect(problem, population)
    ref = expectation.reference
    figures: dict[str, Any] = {f"reach of {name}": _logarithm(tensor) for name, tensor in ref.reach.items()}
    figures |= {f"ulp of {name}": _logarithm(tensor) for name, tensor in ref.ulp.items()}
    figures |= {f"state of {name}": _weighted(tensor) for name, tensor in ref.state.items()}
    figures |= {"logit": _weighted(ref.logit), "reach of logit": _logarithm(ref.logit_reach)}
    names = ("first_step", "first_unsure", "undetermined")
    figures |= {name: _weighted(getattr(ref, name)) for name in names}
    return figures | {"unsure": _weighted(expectation.unsure), "outcome": _weighted(expectation.outcome)}


def _logarithm(tensor: Tensor) -> float:
    return _weighted(tensor.log())


def _weighted(tensor: Tensor) -> float:
    weights = torch.arange(1, len(tensor) + 1, dtype=torch.float64)
    mean = float((tensor.double() * weights).sum() / weights.sum())
    return float(f"{mean:.9g}")  # further digits are those of a processor's float64 functions


def current() -> dict[str, dict[str, Any]]:
    """What the code says now."""
    return {name: summary(problem, population) for name, problem, population in cases()}


if __name__ == "__main__":
    FILE.write_text(json.dumps(current(), indent=1) + "\n", encoding="utf-8")
