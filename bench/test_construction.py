"""What does a population cost before and after it is trained: making it, and moving it to the device and back?"""

import pytest

from bench.timing.construction import Direction, time_initialise, time_transfer
from bench.timing.gate import Gate

N = 1_000_000


def test_construction(gate: Gate) -> None:
    """A million policies begin as nn.Linear(1, 1) does under a million seeds, on the CPU."""
    time_initialise(gate, N)


@pytest.mark.parametrize("direction", ["to device", "to host"])
def test_transfer(gate: Gate, direction: Direction) -> None:
    """A fresh population goes to the device, and a trained one comes back."""
    time_transfer(gate, direction, N)
