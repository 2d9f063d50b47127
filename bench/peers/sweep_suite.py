"""The suite that ``python -m bench peers`` runs: not collected by itself."""

import pytest

from bench.peers import jax_grad, jax_scan
from bench.report.unrolling import name_of
from bench.timing.gate import Gate
from targetrl_core import Problem

UNROLLS = (1, 2, 5, 10, 25, 50)
PEERS = {"jax-scan": jax_scan.unrolled, "jax-grad": jax_grad.unrolled}


@pytest.mark.parametrize("unroll", UNROLLS)
@pytest.mark.parametrize("peer", list(PEERS))
@pytest.mark.parametrize("n", [10_000, 1_000_000])
def test_unrolling(gate: Gate, n: int, peer: str, unroll: int) -> None:
    """50 steps of the listing's problem."""
    gate.train("steady state", PEERS[peer](name_of(peer, unroll), dict.fromkeys(("cpu", "cuda"), unroll)), Problem(), n)
