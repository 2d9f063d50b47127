"""A suite of cheats and one honest variant, for test_cheats.py to run: not collected by itself."""

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from bench.gate import time_variant
from bench.pools import Pools
from targetrl_core import Problem
from targetrl_core.variants.batched import BATCHED
from tests.cheats import CHEATS

ALL = {variant.name: variant for variant in (BATCHED, *CHEATS)}


@pytest.mark.parametrize("variant", list(ALL))
def test_suite(benchmark: BenchmarkFixture, device: torch.device, variant: str, pools: Pools) -> None:
    """50 steps of the listing's problem, 1,000 policies."""
    problem = Problem()
    time_variant(benchmark, ALL[variant], problem, device, pools.of(problem, 1000))
