"""Whether a clock went on evenly while a row was timed: a machine that sleeps, moves or is set to another time makes clocks jump."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

TOLERANCE = 0.02
"""How far the two clocks may part, as a share: the system slews the one that follows the time of day by 0.05 % at most."""

LEAST_SECONDS = 0.01
"""Less than this between the clocks is no jump: the looks at them are not at one moment."""


class ClockJumpedError(Exception):
    """A clock did not go on evenly; says by how much."""


def reference() -> float:
    """Seconds by a clock that goes on while the machine sleeps: where there is none, the time of day."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.time()


@contextmanager
def even(clock: Callable[[], float]) -> Iterator[None]:
    """Compare a clock with the reference over what is done here.

    Raises:
        ClockJumpedError: they parted, by more than looking at them can.
    """
    before = clock(), reference()
    yield
    own, other = clock() - before[0], reference() - before[1]
    if abs(own - other) > max(LEAST_SECONDS, TOLERANCE * max(own, other)):
        raise ClockJumpedError(f"the clock jumped: {own:.3f} s went by on it, {other:.3f} s on the machine's other one")
