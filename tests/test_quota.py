"""What a process may use of a machine is recorded, stands in the label where it is not all, and is named when files differ in it."""

from pathlib import Path
from typing import Any

import pytest

from bench.comparison import columns
from bench.comparison.columns import differences
from bench.evidence import fingerprint as fingerprints
from bench.evidence.fingerprint import check_label, default_label, fingerprint
from bench.evidence.quota import cpu_quota
from bench.evidence.schema import Fingerprint
from tests.test_compare import saved

V1 = "5:cpu,cpuacct:{0}\n4:memory:/elsewhere\n"
MACHINE: dict[str, Any] = {"cpu": {"brand_raw": "Some CPU"}}


@pytest.mark.parametrize(
    ("cgroup", "files", "expected"),
    [
        ("0::/\n", {"cpu.max": "30000 100000"}, 0.3),
        ("0::/\n", {"cpu.max": "max 100000"}, None),
        ("0::/a/b\n", {"a/b/cpu.max": "max 100000", "a/cpu.max": "150000 100000"}, 1.5),
        ("0::/a/b\n", {"a/b/cpu.max": "50000 100000", "a/cpu.max": "150000 100000"}, 0.5),
        ("0::/a/b\n", {"a/b/cpu.max": "250000 100000", "a/cpu.max": "150000 100000"}, 1.5),
        ("0::/gone/in/a/container\n", {"cpu.max": "200000 100000"}, 2.0),
        ("0::/../above\n", {"cpu.max": "200000 100000"}, 2.0),
        (V1.format("/"), {"cpu/cpu.cfs_quota_us": "30000", "cpu/cpu.cfs_period_us": "100000"}, 0.3),
        (V1.format("/"), {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
        (V1.format("/d/x"), {"cpu,cpuacct/d/cpu.cfs_quota_us": "75000", "cpu,cpuacct/d/cpu.cfs_period_us": "50000"}, 1.5),
        (V1.format("/docker/x"), {"cpu/cpu.cfs_quota_us": "33333", "cpu/cpu.cfs_period_us": "100000"}, 0.333),
        (V1.format("/a") + "0::/b\n", {"unified/b/cpu.max": "10000 100000"}, 0.1),
        ("4:memory:/a\n", {"cpu/a/cpu.cfs_quota_us": "1000", "cpu/a/cpu.cfs_period_us": "100000"}, None),
        ("0::/\n", {"cpu.max": "what"}, None),
        ("", {}, None),
        ("nonsense\n1:2\n", {}, None),
    ],
)
def test_a_quota_is_the_least_of_the_groups(cgroup: str, files: dict[str, str], expected: float | None, tmp_path: Path) -> None:
    """Of version 1 and 2, the process's own group and those above it, in a container or not: the least is the quota."""
    written = {"proc/self/cgroup": cgroup} | {f"sys/fs/cgroup/{name}": text for name, text in files.items()}
    for name, text in written.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert cpu_quota(tmp_path) == expected


def test_a_system_without_groups_sets_no_quota(tmp_path: Path) -> None:
    """Where there are no control groups there is no quota."""
    assert cpu_quota(tmp_path) is None


def of_machine(monkeypatch: pytest.MonkeyPatch, there: int, usable: int, quota: float | None) -> None:
    """A machine with so many cores, of which the process may use some."""
    monkeypatch.setattr("psutil.cpu_count", lambda logical=True: there)  # noqa: ARG005 — as psutil has it
    monkeypatch.setattr(fingerprints, "cores", lambda: usable)
    monkeypatch.setattr(fingerprints, "cpu_quota", lambda: quota)


@pytest.mark.parametrize(
    ("there", "usable", "quota", "label"),
    [
        (2, 2, None, "some-2c"),
        (2, 1, None, "some-2c-1usable"),
        (2, 2, 0.3, "some-2c-0.3quota"),
        (8, 4, 1.0, "some-8c-4usable-1quota"),
        (8, 4, 4.0, "some-8c-4usable"),
        (2, 2, 16.0, "some-2c"),
        (2, 2, 0.001, "some-2c-0.01quota"),
        (2, 2, 0.333, "some-2c-0.33quota"),
        (512, 300, 200.0, "some-512c-300usable-200quota"),
    ],
)
def test_the_label_tells_what_may_be_used(
    there: int, usable: int, quota: float | None, label: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cores and quota stand in the label where they are less than the machine's."""
    of_machine(monkeypatch, there, usable, quota)
    assert default_label(MACHINE, "cpu") == label


def test_a_long_label_is_still_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the processor is called, the label is a plain file name of at most 64 characters that ends with its cores."""
    of_machine(monkeypatch, 1024, 1000, 123.45)
    label = default_label({"cpu": {"brand_raw": "Word " * 30}}, "cpu")
    check_label(label)
    assert label.endswith("-1024c-1000usable-123.45quota")


def test_the_fingerprint_holds_both(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cores that may be used and the quota are recorded; evidence that is older has neither."""
    of_machine(monkeypatch, 2, 1, 0.3)
    made = fingerprint(MACHINE, {}, "cpu", {})
    assert (made.logical_cores, made.usable_cores, made.cpu_quota) == (2, 1, 0.3)
    assert [Fingerprint.__struct_defaults__[-2:]] == [(None, None)]


def test_compare_names_what_may_be_used(tmp_path: Path) -> None:
    """Files that differ in cores or quota are compared, and the difference is named."""
    facts: tuple[dict[str, Any], ...] = ({"usable_cores": 2}, {"usable_cores": 1, "cpu_quota": 0.3})
    read = columns.read([saved(tmp_path / f"{name}-cpu.json", **fact) for name, fact in zip("ab", facts, strict=True)])
    values = dict(differences(read))
    assert values["usable_cores"] == ("2", "1")
    assert values["cpu_quota"] == (None, "0.3")
