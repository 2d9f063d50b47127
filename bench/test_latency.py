"""What does one update cost a loop that looks at every output, as the listing does?

A row times 50 updates of one policy, each called on its own once the output of the last one has been read.
"""

import pytest

from bench.timing.gate import Gate
from bench.timing.stepwise import stepwise
from targetrl_core import VARIANTS, Problem
from targetrl_core.variants import find_variant


@pytest.mark.parametrize("variant", [variant.name for variant in VARIANTS])
def test_latency(gate: Gate, variant: str) -> None:
    """50 steps of the listing's problem, one policy, a step at a time; `eager` looks at each output as it is."""
    chosen = find_variant(variant)
    gate.train("latency", chosen if variant == "eager" else stepwise(chosen), Problem(), 1)
