"""A suite that spoils the folder of its results while it runs, for test_suite.py to run: not collected by itself."""

import errno
import os
from pathlib import Path
from typing import NoReturn

import pytest

from bench.timing.gate import Gate
from targetrl_core import Problem
from targetrl_core.variants.batched import BATCHED


@pytest.mark.parametrize("spoiled", ["neighbours", "place", "disk"])
def test_suite(gate: Gate, spoiled: str, pytestconfig: pytest.Config) -> None:
    """50 steps of the listing's problem, 10 policies."""
    gate.train("steady state", BATCHED, Problem(), 10)
    results = Path(pytestconfig.getoption("--results"))
    if spoiled == "neighbours":
        (results / "bad-cpu.json").write_text("{")
    elif spoiled == "disk":
        vars(os)["fsync"] = _full
    else:
        (results / "some-cpu.json").mkdir()


def _full(_file: int) -> NoReturn:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
