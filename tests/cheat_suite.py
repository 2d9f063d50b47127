"""A suite of cheats and one honest variant, for test_cheats.py to run: not collected by itself."""

import pytest

from bench.timing.gate import Gate
from targetrl_core import Problem
from targetrl_core.variants.batched import BATCHED
from tests.cheats import CHEATS

ALL = {variant.name: variant for variant in (BATCHED, *CHEATS)}


@pytest.mark.examination
@pytest.mark.parametrize("variant", list(ALL))
def test_suite(gate: Gate, variant: str) -> None:
    """50 steps of the listing's problem, 1,000 policies."""
    gate.train("steady state", ALL[variant], Problem(), 1000)
