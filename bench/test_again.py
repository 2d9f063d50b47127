"""Does one row, timed twice in one run, have the same time? It stands in the steady state too, minutes apart: an A/A test of the run."""

import pytest

from bench.timing.gate import Gate
from targetrl_core import Problem
from targetrl_core.variants.batched import BATCHED


@pytest.mark.quick
def test_again(gate: Gate) -> None:
    """50 steps of the listing's problem, 10,000 policies, `batched`."""
    gate.train("again", BATCHED, Problem(), 10_000)
