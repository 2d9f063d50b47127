"""What times depend on, and the label that results are filed under. No host name, no user name, no path."""

import os
import platform
import re
import subprocess
from typing import Any

import psutil
import torch

from bench.evidence.nvml import driver_version
from bench.evidence.quota import cpu_quota
from bench.evidence.schema import LABEL_PATTERN, Fingerprint
from bench.evidence.untrusted import LONGEST, plain
from targetrl_core import UsageError, inductor
from targetrl_core.devices import cores, device_name
from targetrl_core.fused.compiler import compiler


def check_label(label: str | None) -> None:
    """Raise UsageError for a label that is no plain file name."""
    if label is not None and not re.match(LABEL_PATTERN, label):
        raise UsageError(f"label is {label!r}; it must be 1 to 64 of a-z, 0-9, '.', '_' and '-', the first a letter or digit")


def default_label(machine: dict[str, Any], device: str) -> str:
    """A label from the processor that was timed and, for a CPU, its cores and what of them the process may use; never a host name."""
    name = device_name(torch.device(device)) or machine["cpu"].get("brand_raw") or platform.machine()
    words = re.sub(r"\((r|tm)\)|processor|cpu|@.*", " ", name.lower())
    slug = re.sub(r"[^a-z0-9]+", "-", words).strip("-") or "machine"
    share = _share(psutil.cpu_count() or 1, cores(), cpu_quota()) if device == "cpu" else ""
    return slug[: min(48, 64 - len(share))].strip("-") + share


def _share(there: int, usable: int, quota: float | None) -> str:
    """The cores of a machine, and the part of them that the process may use where that is not all."""
    parts = [f"-{there}c"]
    if usable < there:
        parts.append(f"-{usable}usable")
    if quota is not None and quota < usable:
        parts.append(f"-{max(quota, 0.01):.2f}".rstrip("0").rstrip(".") + "quota")
    return "".join(parts)


def fingerprint(machine: dict[str, Any], commit: dict[str, Any], device: str, packages: dict[str, str]) -> Fingerprint:
    """What the times of one device depend on; ``packages`` are versions of others that were timed."""
    flags = [f"{name}={os.environ[name]}" for name in ("CFLAGS", "CXXFLAGS") if os.environ.get(name)]
    return Fingerprint(
        processor=str(machine["cpu"].get("brand_raw", platform.processor())),
        cores=psutil.cpu_count(logical=False),
        logical_cores=psutil.cpu_count(),
        memory_gib=round(psutil.virtual_memory().total / 2**30, 1),
        gpu=device_name(torch.device(device)),
        driver=driver_version() if device == "cuda" else None,
        cuda=torch.version.cuda,
        torch=str(torch.__version__),
        cpu_capability=torch.backends.cpu.get_cpu_capability(),
        threads=torch.get_num_threads(),
        python=platform.python_version(),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        compiler=_version(os.environ.get("CXX", "c++")),
        compile_flags=plain(" ".join(flags), LONGEST) or None,
        commit=commit.get("id"),
        dirty=commit.get("dirty"),
        packages=packages,
        torch_compiler=_version(inductor.compiler()),
        kernel_compiler=_version(compiler()),
        usable_cores=cores(),
        cpu_quota=cpu_quota(),
    )


def _version(command: str | None) -> str | None:
    """First line that a C++ compiler says of itself."""
    if command is None:
        return None
    try:
        answer = subprocess.run([command, "--version"], capture_output=True, timeout=10, check=True)  # noqa: S603 — the user's
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return plain(answer.stdout.decode(errors="replace").partition("\n")[0], LONGEST) or None
