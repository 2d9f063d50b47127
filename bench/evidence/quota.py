"""How much of the processor's time this process is granted by control groups, of either version."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

HIERARCHIES = ("", "unified", "cpu", "cpu,cpuacct")
"""Where they are mounted, below ``sys/fs/cgroup``: version 2, the same beside version 1, and version 1 under either of its names."""


def cpu_quota(root: Path = Path("/")) -> float | None:
    """Cores' worth of time, the least that the process's own group and those above it grant; None where none sets a limit.

    Args:
        root: where ``proc`` and ``sys`` are.
    """
    quotas = [quota for group in _groups(root) if (quota := _quota(group)) is not None]
    return round(min(quotas), 3) if quotas else None


def _groups(root: Path) -> Iterator[Path]:
    """The folders of the process's groups and those above them. In a container only the upper ones may be there."""
    lines = [line.split(":", 2) for line in (text_of(root / "proc/self/cgroup") or "").splitlines() if line.count(":") > 1]
    # Version 2 names no controllers.
    paths = {path for _, controllers, path in lines if not controllers or "cpu" in controllers.split(",")}
    for hierarchy in HIERARCHIES:
        mounted = root / "sys/fs/cgroup" / hierarchy
        for path in paths:
            inner = PurePosixPath(*(part for part in PurePosixPath(path).parts if part not in ("/", "..")))
            yield from (mounted / above for above in (inner, *inner.parents))


def _quota(group: Path) -> float | None:
    granted = (text_of(group / "cpu.max") or "").split()
    if not granted:
        granted = [text_of(group / f"cpu.cfs_{name}_us") or "" for name in ("quota", "period")]
    try:
        quota, period = (float(number) for number in granted)
    except ValueError:  # max, or none is set here
        return None
    return quota / period if quota > 0 and period > 0 else None


def text_of(path: Path) -> str | None:
    """What a file of the system says; None where it is not there or says nothing that is text."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None
