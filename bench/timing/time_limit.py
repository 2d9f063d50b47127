"""A limit to the time that a row may take: what hangs ends as a row without a number, not as a run without an end."""

import _thread
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SECONDS = 300.0
"""How long a row may take by default: far above the longest, which are cold starts that compile."""

GRACE = 10.0
"""Seconds in which what was interrupted may end by itself."""


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
