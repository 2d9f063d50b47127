"""How does the time grow with the number of steps?"""

import pytest

from bench.timing.gate import Gate
from targetrl_core import VARIANTS, Problem
from targetrl_core.variants import find_variant

BATCHED = [variant.name for variant in VARIANTS if variant.name not in ("eager", "compiled")]
"""Where one policy is trained after another, one step after another, each costs what the last did: the steady state shows it."""


@pytest.mark.parametrize("variant", BATCHED)
@pytest.mark.parametrize("steps", [10, 250])
def test_growth(gate: Gate, steps: int, variant: str) -> None:
    """The listing's problem for fewer and more steps than its 50."""
    gate.train("growth with steps", find_variant(variant), Problem(steps=steps), 10_000)
