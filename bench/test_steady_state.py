"""Which way to train N policies is fastest here, once everything is compiled and warm?

A row times one call: from a fresh population on the device to the trained one on the device, all steps.
"""

import pytest

from bench.peers import PEERS
from bench.timing.cases import CASES, GPU_SIZE
from bench.timing.gate import Gate
from targetrl_core import VARIANTS, Problem
from targetrl_core.listing.defaults import Objective
from targetrl_core.names import Arithmetic

QUICK = {("detached", "native", 1), ("detached", "native", 10_000), ("detached", "portable", 10_000)}


def _marks(case: tuple[Objective, Arithmetic, int]) -> list[pytest.MarkDecorator]:
    return [pytest.mark.quick] * (case in QUICK) + [pytest.mark.gpu] * (case[2] == GPU_SIZE)


BY_NAME = {variant.name: variant for variant in (*VARIANTS, *PEERS)}
ROWS = [*(variant.name for variant in VARIANTS), *(pytest.param(peer.name, marks=pytest.mark.peer) for peer in PEERS)]


@pytest.mark.parametrize("variant", ROWS)
@pytest.mark.parametrize(("objective", "arithmetic", "n"), [pytest.param(*case, marks=_marks(case)) for case in CASES])
def test_steady_state(gate: Gate, objective: Objective, arithmetic: Arithmetic, n: int, variant: str) -> None:
    """50 steps of the listing's problem."""
    gate.train("steady state", BY_NAME[variant], Problem(objective=objective, arithmetic=arithmetic), n)
