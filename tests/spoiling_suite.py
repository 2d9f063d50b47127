"""A suite that spoils the folder of its results while it runs, for test_suite.py to run: not collected by itself."""

from pathlib import Path

import pytest

from bench.timing.gate import Gate
from targetrl_core import Problem
from targetrl_core.variants.batched import BATCHED


def test_suite(gate: Gate, pytestconfig: pytest.Config) -> None:
    """50 steps of the listing's problem, 10 policies, after which evidence lies there that no table can be made of."""
    gate.train("steady state", BATCHED, Problem(), 10)
    (Path(pytestconfig.getoption("--results")) / "bad-cpu.json").write_text("{")
