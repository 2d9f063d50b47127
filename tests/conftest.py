"""What holds for all tests."""

import os
import signal

# What the tests start is no worker of pytest-xdist: pytest-benchmark would time nothing there.
os.environ.pop("PYTEST_XDIST_WORKER", None)

# A shell that starts the tests in the background has them ignore interrupts, and so would the programs that some of them interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
