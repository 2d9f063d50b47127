"""What else goes on while the suite runs: other processes, frequency governors, heat, batteries. None where a system does not tell."""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from bench.evidence.schema import Environment

CPU = Path("/sys/devices/system/cpu")
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OMP_PROC_BIND", "KMP_AFFINITY", "GOMP_CPU_AFFINITY")


class Watch(NamedTuple):
    """A look at the machine when the session begins; ``finish`` says what happened since."""

    begun: float
    busy: float
    own: float
    stolen: float | None
    load: float | None
    throttled: int | None

    @classmethod
    def start(cls) -> "Watch":
        """Look now."""
        return cls(time.perf_counter(), _busy_seconds(), _own_seconds(), _stolen_seconds(), _load(), _throttling_events())

    def finish(self, device: str) -> Environment:
        """What happened on the machine, and on the device, since ``start``."""
        seconds = time.perf_counter() - self.begun
        capacity = max(seconds * (psutil.cpu_count() or 1), 1e-9)
        busy, stolen, throttled = _busy_seconds() - self.busy, _stolen_seconds(), _throttling_events()
        gpu = _gpu_state() if device == "cuda" else {}
        return Environment(
            seconds=seconds,
            busy_elsewhere=max(busy - (_own_seconds() - self.own), 0.0) / capacity,
            stolen=None if stolen is None or self.stolen is None else max(stolen - self.stolen, 0.0) / capacity,
            load_before=self.load,
            governor=_text(CPU / "cpu0/cpufreq/scaling_governor"),
            turbo=_turbo(),
            throttled=None if throttled is None or self.throttled is None else max(throttled - self.throttled, 0),
            on_battery=_on_battery(),
            gpu_processes=gpu.get("processes"),
            gpu_throttled=gpu.get("throttled"),
            thread_settings={name: os.environ[name][:200] for name in THREAD_VARIABLES if name in os.environ},
        )


def _busy_seconds() -> float:
    """Core seconds in which any process of the machine ran."""
    times = psutil.cpu_times()
    return float(times.user + times.system + getattr(times, "nice", 0.0))


def _own_seconds() -> float:
    """Core seconds of this process and the children it has waited for."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _stolen_seconds() -> float | None:
    return getattr(psutil.cpu_times(), "steal", None)


def _load() -> float | None:
    return round(psutil.getloadavg()[0] / (psutil.cpu_count() or 1), 3)


def _throttling_events() -> int | None:
    counts = [_text(path) for path in CPU.glob("cpu[0-9]*/thermal_throttle/core_throttle_count")]
    return sum(int(count) for count in counts if count) if counts else None


def _turbo() -> bool | None:
    off = _text(CPU / "intel_pstate/no_turbo")
    if off is not None:
        return off == "0"
    boost = _text(CPU / "cpufreq/boost")
    return None if boost is None else boost == "1"


def _on_battery() -> bool | None:
    battery = psutil.sensors_battery() if hasattr(psutil, "sensors_battery") else None
    return None if battery is None else not battery.power_plugged


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None


def driver_version() -> str | None:
    """Version of the NVIDIA driver, where NVML is present."""
    with _nvml() as nvml:
        if nvml is None:
            return None
        version = nvml.nvmlSystemGetDriverVersion()
        return version.decode() if isinstance(version, bytes) else str(version)


def _gpu_state() -> dict[str, int]:
    """Other processes on the first GPU, and the bit mask of why its clock is held down."""
    with _nvml() as nvml:
        if nvml is None:
            return {}
        handle = nvml.nvmlDeviceGetHandleByIndex(0)
        others = [process for process in nvml.nvmlDeviceGetComputeRunningProcesses(handle) if process.pid != os.getpid()]
        return {"processes": len(others), "throttled": int(nvml.nvmlDeviceGetCurrentClocksThrottleReasons(handle))}


@contextlib.contextmanager
def _nvml() -> Iterator[Any]:
    """NVML, or None where the package or the driver is missing."""
    try:
        import pynvml
    except ImportError:
        yield None
        return
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        yield None
        return
    try:
        yield pynvml
    finally:
        pynvml.nvmlShutdown()
