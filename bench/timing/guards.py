"""What guards a row while it runs: a limit to its time, a clock that goes on evenly, surroundings that stay as they were."""

import _thread
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from targetrl_core.surroundings import Surroundings

SECONDS = 300.0
"""How long a row may take by default: far above the longest, which are cold starts that compile."""

GRACE = 10.0
"""Seconds in which what was interrupted may end by itself."""

TOLERANCE = 0.02
"""How far two clocks may part, as a share: the system slews the one that follows the time of day by 0.05 % at most."""

LEAST_SECONDS = 0.01
"""Less than this between the clocks is no jump: the looks at them are not at one moment."""


class NotIdenticalError(Exception):
    """A run did not converge as the problem calls for; says how."""


def raise_unless_empty(reasons: tuple[str, ...]) -> None:
    """Raise NotIdenticalError where there is a reason to, with the first; ``targetrl verify`` tells them all."""
    if reasons:
        raise NotIdenticalError(reasons[0] + (f" (and {len(reasons) - 1} more reasons)" if len(reasons) > 1 else ""))


@contextmanager
def unchanged() -> Iterator[None]:
    """Raise NotIdenticalError where what is done within it leaves changed what later rows depend on, which is put back however it ends."""
    before = Surroundings.look()
    try:
        yield
    except BaseException:
        before.put_back()
        raise
    raise_unless_empty(before.put_back())


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


class RowTimeoutError(Exception):
    """A row took longer than it may."""


@contextmanager
def time_limit(seconds: float, give_up: Callable[[str], None]) -> Iterator[None]:
    """Interrupt the main thread, which this must be, after ``seconds``: what runs in it ends with RowTimeoutError.

    What hangs outside Python, in a kernel or a compiler, cannot be interrupted. If it has not ended ``GRACE`` seconds later,
    ``give_up`` is called with the reason in a thread of its own; it is expected to end the process.
    """
    reason = f"it took longer than {seconds:g} s"
    ended, interrupted = threading.Event(), threading.Event()

    def watch() -> None:
        if ended.wait(seconds):
            return
        interrupted.set()
        _interrupt()
        if not ended.wait(GRACE):
            give_up(f"{reason}, and could not be interrupted")

    watcher = threading.Thread(target=watch, name="time limit", daemon=True)
    watcher.start()
    try:
        yield
    except KeyboardInterrupt:
        if interrupted.is_set():
            raise RowTimeoutError(reason) from None
        raise
    finally:
        ended.set()
        watcher.join()


def _interrupt() -> None:
    """As Ctrl-C does. A signal ends a call that sleeps, too; where threads cannot be sent one, Python is told at its next look."""
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    else:
        _thread.interrupt_main()
