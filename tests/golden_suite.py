"""A suite of a few rows with a number, without one, and withheld, for test_golden.py to run: not collected by itself."""

import pytest

from bench.timing.gate import Gate
from targetrl_core import Problem
from targetrl_core.variants.batched import BATCHED
from targetrl_core.variants.batched_graphed import BATCHED_GRAPHED
from targetrl_core.variants.eager import EAGER
from tests.cheats import CHEATS

ALL = {variant.name: variant for variant in (EAGER, BATCHED, BATCHED_GRAPHED, CHEATS[0])}


def test_again(gate: Gate) -> None:
    """The row that stands in the run twice."""
    gate.train("again", BATCHED, Problem(arithmetic="portable"), 7)


@pytest.mark.parametrize("variant", list(ALL))
@pytest.mark.parametrize("n", [7, 100])
def test_suite(gate: Gate, n: int, variant: str) -> None:
    """50 steps of the listing's problem in portable arithmetic, whose bits are the same everywhere."""
    gate.train("steady state", ALL[variant], Problem(arithmetic="portable"), n)
