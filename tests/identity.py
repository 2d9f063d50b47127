"""Whether variants train one population as the oracle does: the check alone, without the examination that ``verify`` adds to it.

The examination trains other populations and problems, each of which a compiled variant compiles for; where many problems are
looked at, it would be the same each time.
"""

from collections.abc import Iterable

import torch

from targetrl_core import VARIANTS, Population, Problem, train
from targetrl_core.certification import certify
from targetrl_core.convergence import Identity, check

CPU = torch.device("cpu")


def identities(variants: Iterable[str], problem: Problem, population: Population) -> dict[str, Identity]:
    """What the check says of each variant that can run the problem, by name."""
    able = [variant.name for variant in VARIANTS if variant.name in variants and variant.unsupported(problem, CPU, population.n) is None]
    expectation = certify(problem, population)
    return {name: check(expectation, train(problem, population, variant=name).population) for name in able}


def check_variants(variants: Iterable[str], problem: Problem, population: Population) -> None:
    """Each variant that can run the problem trains the population identically, and to the bit where the arithmetic is portable."""
    for name, identity in identities(variants, problem, population).items():
        assert identity.identical, (name, identity.reasons)
        assert identity.level == ("bitwise" if problem.arithmetic == "portable" else "bounded")
