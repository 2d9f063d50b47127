"""Whether variants train one population as the oracle does: the check alone, without the examination that ``verify`` adds to it.

The examination trains other populations and problems, each of which a compiled variant compiles for; where many problems are
looked at, it would be the same each time.
"""

import re
from collections.abc import Iterable

import torch

from targetrl_core import Population, Problem, train
from targetrl_core.certification import certify
from targetrl_core.convergence import Identity, check
from targetrl_core.variants import find_variant

CPU = torch.device("cpu")


EXPECTED = re.compile("not portable arithmetic|torch.optim takes no per-policy constants|limited to .* policy-steps|must be one number")
"""Why a variant may be left out of what is checked."""


def able(variants: Iterable[str], problem: Problem, n: int) -> list[str]:
    """Those of some variants that can run the problem; what others are left out for has to be expected."""
    reasons = {name: find_variant(name).unsupported(problem, CPU, n) for name in variants}
    assert all(reason is None or EXPECTED.search(reason) for reason in reasons.values()), reasons
    return [name for name, reason in reasons.items() if reason is None]


def identities(variants: Iterable[str], problem: Problem, population: Population) -> dict[str, Identity]:
    """What the check says of each variant that can run the problem, by name."""
    expectation = certify(problem, population)
    names = able(variants, problem, population.n)
    assert names
    return {name: check(expectation, train(problem, population, variant=name).population) for name in names}


def check_variants(variants: Iterable[str], problem: Problem, population: Population) -> None:
    """Each variant that can run the problem trains the population identically, and to the bit where the arithmetic is portable."""
    for name, identity in identities(variants, problem, population).items():
        assert identity.identical, (name, identity.reasons)
        assert identity.level == ("bitwise" if problem.arithmetic == "portable" else "bounded")
