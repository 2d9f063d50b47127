"""Devices: what is here, why not more, and the one clock."""

import time

import pytest
import torch

from targetrl_core import UsageError, available_devices
from targetrl_core.devices import find_device, synchronized_clock, why_absent, why_not_compiled
from targetrl_core.names import DEVICES


def test_every_device_is_here_or_has_a_reason() -> None:
    """The CPU is always here, and each other device is listed or has a reason."""
    assert available_devices()[0] == "cpu"
    for name in DEVICES:
        assert (why_absent(name) is None) == (name in available_devices())


@pytest.mark.parametrize("name", ["cuda:99", "cuda:256", "mps:7", "meta", "mkldnn", "gpu", "cpu:", ""])
def test_an_absent_device_is_refused_with_what_there_is(name: str) -> None:
    """Asking for what is not here names it, says why, and lists what there is."""
    with pytest.raises(UsageError) as caught:
        find_device(name)
    assert "cpu" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_clock_counts_seconds() -> None:
    """synchronized_clock goes forward as perf_counter does."""
    before = time.perf_counter()
    begun = synchronized_clock()
    time.sleep(0.02)
    seconds = synchronized_clock() - begun
    assert 0.02 <= seconds <= time.perf_counter() - before


def test_the_clock_waits_for_every_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """synchronized_clock waits for each CUDA device that is there, the current one or not."""
    waited: list[int] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    monkeypatch.setattr(torch.cuda, "synchronize", waited.append)
    synchronized_clock()
    assert waited == [0, 1, 2]


def test_no_compiler_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a C++ compiler on the PATH, compiled variants say that one is missing."""
    monkeypatch.setenv("PATH", "/nowhere")
    assert "needs a C++ compiler" in str(why_not_compiled(torch.device("cpu")))


def test_no_headers_are_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Python.h, compiled variants say what to install."""
    monkeypatch.setattr("sysconfig.get_path", lambda _name: "/nowhere")
    assert "needs Python.h" in str(why_not_compiled(torch.device("cpu")))
