"""Honest rows, on a device that is said to be slower than any, or as it is; for test_limit.py to run: not collected by itself."""

import os

import pytest

from bench import session
from bench.evidence.schema import Limits
from bench.limit import measure
from bench.timing import guards
from bench.timing.fresh import Caches, time_cold_start
from bench.timing.gate import Gate
from targetrl_core import Problem
from targetrl_core.variants.batched import BATCHED
from tests.scripted import CLOCK

SLOW = Limits(additions=1e-3, multiplications=1e-3, divisions=1e-3, roots=1e-3, copied_bytes=1e9)

vars(session)["clock_test"] = lambda *_: CLOCK  # so that what else the machine does is no fault of its own
vars(guards)["TOLERANCE"] = 1.0
if "SLOW_DEVICE" in os.environ:
    vars(measure)["measure"] = lambda _device: SLOW


@pytest.mark.parametrize("variant", ["batched"])
def test_steady(gate: Gate, variant: str) -> None:
    """50 steps of the listing's problem, 100 policies."""
    assert variant == BATCHED.name
    gate.train("steady state", BATCHED, Problem(), 100)


@pytest.mark.parametrize("variant", ["batched"])
def test_cold_start(gate: Gate, variant: str, caches: Caches) -> None:
    """The same from the start of a process, whose own calls are judged."""
    assert variant == BATCHED.name
    time_cold_start(gate, BATCHED, Problem(), 100, None, 1, caches)
