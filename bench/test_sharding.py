"""How much faster are several ranks than one, a thread or a GPU each, when they train one population together?

A row times from the word to the sum over all ranks, which are started, have met and are warm. Asked for with ``--sharding``.
"""

import pytest

from bench.ranks.row import time_ranks
from bench.timing.gate import Gate
from targetrl_core import Problem

RANKS = (1, 2, 4, 8)


@pytest.mark.parametrize("ranks", RANKS)
@pytest.mark.parametrize("n", [1_000_000, 20_000_000])
def test_sharding(gate: Gate, n: int, ranks: int, why_no_ranks: str | None) -> None:
    """50 steps of the listing's problem, streamed by the fastest variant."""
    time_ranks(gate, Problem(), n, ranks, why_no_ranks)
