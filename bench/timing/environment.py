"""What else goes on while the suite runs: other processes, frequency governors, heat, batteries. None where a system does not tell."""

import os
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from bench.evidence import nvml
from bench.evidence.quota import text_of
from bench.evidence.schema import Environment
from bench.evidence.untrusted import plain

CPU = Path("/sys/devices/system/cpu")
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OMP_PROC_BIND", "KMP_AFFINITY", "GOMP_CPU_AFFINITY")


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


def _throttling_events() -> int | None:
    counts = [text_of(path) for path in CPU.glob("cpu[0-9]*/thermal_throttle/core_throttle_count")]
    return sum(int(count) for count in counts if count) if counts else None


@dataclass
class Watch:
    """A look at the machine when the session begins; ``look`` is for what is seen only while it lasts, ``finish`` says what happened."""

    begun: float = field(default_factory=time.perf_counter)
    busy: float = field(default_factory=_busy_seconds)
    own: float = field(default_factory=_own_seconds)
    stolen: float | None = field(default_factory=_stolen_seconds)
    load: float = field(default_factory=lambda: round(psutil.getloadavg()[0] / (psutil.cpu_count() or 1), 3))
    throttled: int | None = field(default_factory=_throttling_events)
    gpu_throttled: int | None = None

    def look(self, device: str) -> None:
        """Remember what holds the GPU's clock down now: NVML tells it of the moment alone, so each row is followed by a look."""
        reasons = nvml.throttle_reasons() if device == "cuda" else None
        if reasons is not None:
            self.gpu_throttled = (self.gpu_throttled or 0) | reasons

    def finish(self, device: str) -> Environment:
        """What happened on the machine, and on the device, since then."""
        seconds = time.perf_counter() - self.begun
        capacity = max(seconds * (psutil.cpu_count() or 1), 1e-9)
        busy, stolen, throttled = _busy_seconds() - self.busy, _stolen_seconds(), _throttling_events()
        self.look(device)
        return Environment(
            seconds=seconds,
            busy_elsewhere=max(busy - (_own_seconds() - self.own), 0.0) / capacity,
            stolen=None if stolen is None or self.stolen is None else max(stolen - self.stolen, 0.0) / capacity,
            load_before=self.load,
            governor=text_of(CPU / "cpu0/cpufreq/scaling_governor"),
            turbo=_turbo(),
            throttled=None if throttled is None or self.throttled is None else max(throttled - self.throttled, 0),
            on_battery=_on_battery(),
            gpu_processes=nvml.other_processes() if device == "cuda" else None,
            gpu_throttled=self.gpu_throttled if device == "cuda" else None,
            thread_settings={name: plain(os.environ[name][:200]) for name in THREAD_VARIABLES if name in os.environ},
        )


def _turbo() -> bool | None:
    off = text_of(CPU / "intel_pstate/no_turbo")
    if off is not None:
        return off == "0"
    boost = text_of(CPU / "cpufreq/boost")
    return None if boost is None else boost == "1"


def _on_battery() -> bool | None:
    battery = psutil.sensors_battery() if hasattr(psutil, "sensors_battery") else None
    return None if battery is None else not battery.power_plugged
