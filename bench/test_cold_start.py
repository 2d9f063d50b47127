"""What does starting cost: importing, preparing, the first call and the second?

A row times from the start of a fresh process to its first trained population. Where a variant compiles, once with its compiler's cache
empty (Inductor's; that of the fused kernels) and once with the one that an earlier process has filled.
"""

import pytest

from bench.timing.fresh import Cache, Caches, time_cold_start
from bench.timing.gate import Gate
from targetrl_core import VARIANTS, Problem
from targetrl_core.variants import find_variant

COMPILES = ("compiled", "batched-compiled", "fused")
POLICIES = {"eager": 1, "compiled": 1}
PROCESSES: dict[Cache | None, int] = {"empty": 1, "warm": 2, None: 2}
"""How many processes of each kind: Inductor with an empty cache takes over ten seconds."""

CASES: list[tuple[str, Cache | None]] = [
    (variant.name, cache) for variant in VARIANTS for cache in (("empty", "warm") if variant.name in COMPILES else (None,))
]


@pytest.mark.parametrize(("variant", "cache"), CASES)
def test_cold_start(gate: Gate, variant: str, cache: Cache | None, caches: Caches) -> None:
    """50 steps of the listing's problem, 100,000 policies, or one where they are trained one after another."""
    time_cold_start(gate, find_variant(variant), Problem(), POLICIES.get(variant, 100_000), cache, PROCESSES[cache], caches)
