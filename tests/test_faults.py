"""What goes wrong while measuring costs the row it happens in, and nothing else."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from bench.evidence.files import held
from bench.timing import guards
from bench.timing.guards import RowTimeoutError, time_limit
from targetrl_core import UsageError

ROOT = Path(__file__).parent.parent
HANGS_SECONDS = 600
"""After which a process hangs, however slow the machine is."""


def run_suite(results: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Time the suite of faulty rows."""
    environment = os.environ | {"COLUMNS": "200", "TMPDIR": str(results.parent)}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "tests/faulty_suite.py", "--benchmark-only", "--device=cpu", "--label=some", "--row-timeout=2",
         f"--results={results}", "-p", "tests.brief", "-p", "no:cacheprovider", *arguments],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=HANGS_SECONDS, env=environment,
    )  # fmt: skip


def evidence_of(results: Path) -> tuple[list[str], dict[str, str], Any]:
    """The names of the rows with a number, the reasons of those without, and the file's own part."""
    content = json.loads((results / "some-cpu.json").read_text())
    part = content["targetrl"]
    assert {absence["kind"] for absence in part["absent"]} <= {"not measured"}
    reasons = {absence["name"].rpartition("[")[2].rstrip("]"): absence["reason"] for absence in part["absent"]}
    return [row["name"] for row in content["benchmarks"]], reasons, part


def test_a_fault_costs_its_own_row(tmp_path: Path) -> None:
    """Lack of memory, a compiler that fails, a hang, a clock that jumps, a device that goes: those rows are not measured, each says why."""
    run = run_suite(tmp_path / "results", "-k", "not hangs-outside")
    assert run.returncode == 1, run.stdout + run.stderr
    assert "withheld" not in run.stdout
    names, reasons, part = evidence_of(tmp_path / "results")
    assert names == ["test_before", "test_device_goes"]
    memory = reasons.pop("host-memory")
    assert memory.startswith("RuntimeError: ")
    assert "1152921504606846976 bytes" in memory
    jump = reasons.pop("test_clock_jumps")
    assert jump.startswith("ClockJumpedError: the clock jumped: ")
    assert reasons == {
        "hangs": "RowTimeoutError: it took longer than 2 s",
        "device-memory": "OutOfMemoryError: Tried to allocate 74 GiB; see settings.toml",
        "compiler": "RuntimeError: no such header: 'Python.h'",
        "device-gone": "RuntimeError: CUDA error: unspecified launch failure",
    }
    assert part["no_limits"] == "RuntimeError: CUDA error: the GPU has fallen off the bus"


@pytest.mark.skipif(sys.platform == "win32", reason="waits for a lock of POSIX threads")
def test_a_row_that_cannot_be_interrupted_ends_the_run(tmp_path: Path) -> None:
    """A hang outside Python ends the run in time; the rows before it are kept, and the message says which row and how many are left."""
    run = run_suite(tmp_path / "results", "-k", "before or hangs-outside or goes")
    assert run.returncode == 1, run.stdout + run.stderr
    ended = "test_faulty[cpu-hangs-outside] ended the run: it took longer than 2 s, and could not be interrupted"
    assert f"{ended}; 2 rows were not measured" in run.stderr
    names, reasons, _ = evidence_of(tmp_path / "results")
    assert names == ["test_before"]
    assert reasons == {"hangs-outside": "it took longer than 2 s, and could not be interrupted"}


def test_two_runs_do_not_write_at_once(tmp_path: Path) -> None:
    """While one run writes into a folder another is refused by name; afterwards nothing is left of the lock, nor of an empty folder."""
    folder = tmp_path / "results"
    with held(folder):
        run = run_suite(folder)
        assert run.returncode == 4
        assert f"{folder}: another run writes there; wait for its end, or name another folder" in run.stderr
        with pytest.raises(UsageError, match="another run writes there"), held(folder):
            pass
    assert not folder.exists()
    with held(folder):
        (folder / "some-cpu.json").write_text("{}")
    assert [path.name for path in folder.iterdir()] == ["some-cpu.json"]


def test_what_ends_in_time_is_left_alone() -> None:
    """A limit that is not reached changes nothing, and leaves no thread behind."""
    before = threading.active_count()
    with time_limit(60.0, pytest.fail):
        assert threading.active_count() == before + 1
    assert threading.active_count() == before


def test_a_limit_tells_itself_from_ctrl_c() -> None:
    """What takes too long ends with its limit's own error; Ctrl-C before that stays what it is."""
    with pytest.raises(RowTimeoutError, match=r"^it took longer than 0.05 s$"), time_limit(0.05, pytest.fail):
        time.sleep(30)
    with pytest.raises(KeyboardInterrupt), time_limit(60.0, pytest.fail):
        signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize(("own", "other", "even"), [(10.0, 10.1, True), (0.0, 0.009, True), (10.0, 10.3, False), (-1.0, 1.0, False)])
def test_clocks_that_part_are_found_out(own: float, other: float, even: bool, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: FBT001 — a parameter of pytest's
    """A clock may part from the machine's other one by a hundredth of a second or 2 %, forwards and backwards."""
    monkeypatch.setattr(guards, "reference", iter([5.0, 5.0 + other]).__next__)
    clock = iter([100.0, 100.0 + own]).__next__
    if even:
        with guards.even(clock):
            pass
    else:
        message = f"the clock jumped: {own:.3f} s went by on it, {other:.3f} s on the machine's other one"
        with pytest.raises(guards.ClockJumpedError, match=message), guards.even(clock):
            pass
