"""Which way to train N policies is fastest here, once everything is compiled and warm?"""

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from bench.gate import time_variant
from bench.pools import Pools
from targetrl_core import VARIANTS, Problem
from targetrl_core.names import ARITHMETICS, Arithmetic
from targetrl_core.variants import find_variant


@pytest.mark.parametrize("variant", [variant.name for variant in VARIANTS])
@pytest.mark.parametrize("n", [1, 100, 10_000, 1_000_000])
@pytest.mark.parametrize("arithmetic", ARITHMETICS)
def test_steady_state(
    benchmark: BenchmarkFixture, device: torch.device, arithmetic: Arithmetic, n: int, variant: str, pools: Pools
) -> None:
    """50 steps of the listing's problem, from a fresh population on the device to a trained one there."""
    problem = Problem(arithmetic=arithmetic)
    time_variant(benchmark, find_variant(variant), problem, device, pools.of(problem, n))
