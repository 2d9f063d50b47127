"""What NVML tells, by a module that stands in for it."""

import os
import sys
from types import ModuleType, SimpleNamespace

import pytest
import torch

from bench.evidence import nvml
from bench.timing.environment import Watch

OURS = SimpleNamespace(uuid="11111111-2222-3333-4444-555555555555")


class FakeNvml(ModuleType):
    """pynvml of a machine with two GPUs, the second of which is ours; ``broken`` makes every question fail."""

    class NVMLError(Exception):
        """NVML's own."""

    def __init__(self) -> None:
        super().__init__("pynvml")
        self.broken, self.open, self.reasons = False, 0, [0x0]

    def nvmlInit(self) -> None:  # noqa: N802 — NVML's name
        """Begin."""
        self.open += 1

    def nvmlShutdown(self) -> None:  # noqa: N802 — NVML's name
        """End."""
        self.open -= 1

    def nvmlSystemGetDriverVersion(self) -> bytes:  # noqa: N802 — NVML's name
        """As old versions of the package tell it."""
        if self.broken:
            raise self.NVMLError
        return b"580.1"

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> str:  # noqa: N802 — NVML's name
        """The GPU that PyTorch calls 0 is the second here."""
        if self.broken or uuid != f"GPU-{OURS.uuid}":
            raise self.NVMLError
        return "second"

    def nvmlDeviceGetComputeRunningProcesses(self, handle: str) -> list[SimpleNamespace]:  # noqa: N802 — NVML's name
        """This process and another."""
        assert handle == "second"
        return [SimpleNamespace(pid=os.getpid()), SimpleNamespace(pid=1)]

    def nvmlDeviceGetCurrentClocksThrottleReasons(self, handle: str) -> int:  # noqa: N802 — NVML's name
        """The next of the script; the last for ever."""
        assert handle == "second"
        return self.reasons.pop(0) if len(self.reasons) > 1 else self.reasons[0]


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeNvml:
    """NVML, and PyTorch with one visible GPU."""
    module = FakeNvml()
    monkeypatch.setitem(sys.modules, "pynvml", module)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _index: OURS)
    return module


def test_the_gpu_is_the_one_that_pytorch_uses(fake: FakeNvml) -> None:
    """Where CUDA_VISIBLE_DEVICES hides GPUs, NVML is asked of the one that is left, by its UUID."""
    assert (nvml.driver_version(), nvml.other_processes(), nvml.throttle_reasons()) == ("580.1", 1, 0)
    assert fake.open == 0


def test_what_nvml_does_not_tell_is_none(fake: FakeNvml) -> None:
    """An error of NVML's after its start is None, and NVML is left as it was."""
    fake.broken = True
    assert (nvml.driver_version(), nvml.other_processes(), nvml.throttle_reasons()) == (None, None, None)
    assert fake.open == 0
    environment = Watch().finish("cuda")
    assert (environment.gpu_processes, environment.gpu_throttled) == (None, None)


def test_a_machine_without_nvml_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the package nothing is told, and nothing fails."""
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert (nvml.driver_version(), nvml.other_processes(), nvml.throttle_reasons()) == (None, None, None)


def test_throttling_during_the_run_is_seen(fake: FakeNvml) -> None:
    """What held the clock down after one row is told at the end, when it no longer does; on the CPU nothing is asked."""
    fake.reasons = [0x1, 0x40, 0x0]
    watch = Watch()
    watch.look("cpu")
    for _ in range(3):
        watch.look("cuda")
    assert watch.finish("cuda").gpu_throttled == 0x41
    assert watch.finish("cpu").gpu_throttled is None
