"""A suite of one honest variant and two that break, for test_reasons.py to run: not collected by itself."""

import pytest
import torch

from bench.timing.gate import Gate
from targetrl_core import Problem, Variant
from targetrl_core.variants import Train
from targetrl_core.variants.batched import BATCHED


def _out_of_memory(_problem: Problem, _device: torch.device, _n: int) -> Train:
    raise torch.OutOfMemoryError("Tried to allocate 74 GiB; see /home/someone/settings.toml\nand more")


def _uncompilable(_problem: Problem, _device: torch.device, _n: int) -> Train:
    raise RuntimeError("\nno such header: '/home/someone/include/Python.h'")


ALL = {
    "batched": BATCHED,
    "large": Variant("large", BATCHED.unsupported, _out_of_memory),
    "uncompilable": Variant("uncompilable", BATCHED.unsupported, _uncompilable),
}


@pytest.mark.parametrize("variant", list(ALL))
def test_suite(gate: Gate, variant: str) -> None:
    """50 steps of the listing's problem, 10 policies."""
    gate.train("steady state", ALL[variant], Problem(), 10)
