"""What holds for all tests."""

import signal

# A shell that starts the tests in the background has them ignore interrupts, and so would the programs that some of them interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
