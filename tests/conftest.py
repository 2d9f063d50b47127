"""What holds for all tests."""

import os
import signal

import pytest

from targetrl_core import examination
from tests.brief import BRIEF

# What the tests start is no worker of pytest-xdist: pytest-benchmark would time nothing there.
os.environ.pop("PYTEST_XDIST_WORKER", None)

# A shell that starts the tests in the background has them ignore interrupts, and so would the programs that some of them interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

WHOLE = {name: getattr(examination, name) for name in BRIEF}


@pytest.fixture(autouse=True)
def _examination(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (BRIEF if request.node.get_closest_marker("examination") is None else WHOLE).items():
        monkeypatch.setattr(examination, name, value)
