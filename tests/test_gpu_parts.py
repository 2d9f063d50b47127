"""`make gpu`: its parts end at their limits, and what comes back is whole and small, whatever they do."""

import json
import sys
import time
from pathlib import Path

import psutil
import pytest

from bench.__main__ import main
from bench.upkeep import gpu
from bench.upkeep.gpu import GpuPart, Outcome, parts_of, run_all

PLANTED = {
    "fine": "print('a line'); print('the last line')",
    "broken": "raise ValueError('no such kernel')",
    "hangs": "import time; print('before', flush=True); time.sleep(1000)",
    # As torchrun does, it starts what has a session of its own; and it does not end when it is told to.
    "stubborn": "import signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    "held = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(1000)'], start_new_session=True); "
    "print(held.pid, flush=True); time.sleep(1000)",
    "loud": "print('x' * 50_000_000)",
}


def planted(folder: Path, name: str, **changes: object) -> GpuPart:
    """A part that does what ``PLANTED`` says, as a module that this Python finds."""
    (folder / f"planted_{name}.py").write_text(PLANTED[name])
    return GpuPart(name, 60.0, (f"planted_{name}",))._replace(**changes)  # type: ignore[arg-type]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the parts lie and leave what they measure; ``results`` is beside it."""
    place = tmp_path / "place"
    place.mkdir()
    monkeypatch.setenv("PYTHONPATH", str(place))
    monkeypatch.setattr(gpu, "GRACE_SECONDS", 0.5)
    return place


def outcome(part: GpuPart, place: Path) -> Outcome:
    """What becomes of one part."""
    (result,) = run_all([part], "cpu", place.parent / "results", place, tell=lambda _: None)
    return result


def test_a_part_that_hangs_ends_at_its_limit(place: Path) -> None:
    """It costs itself alone: the parts before and after it have their outcomes, in the summary too."""
    planned = [planted(place, "fine"), planted(place, "hangs", limit_seconds=3.0), planted(place, "broken")]
    outcomes = run_all(planned, "cpu", place.parent / "results", place, tell=lambda _: None)
    assert [outcome.status for outcome in outcomes] == ["passed", "ended at its limit", "failed"]
    assert outcomes[0].last_lines == ["a line", "the last line"]
    assert outcomes[2].last_lines[-1] == "ValueError: no such kernel"
    assert outcomes[1].seconds >= 3.0
    summary = json.loads((place.parent / "results/summary.json").read_text())
    assert [part["status"] for part in summary["parts"]] == [outcome.status for outcome in outcomes]
    assert summary["packages"]["torch"]
    assert "=== broken" in (place.parent / "results/log.txt").read_text()


@pytest.mark.skipif(sys.platform == "win32", reason="sessions are those of POSIX")
def test_nothing_that_a_part_started_outlives_it(place: Path) -> None:
    """What does not end when it is told to is made to, and so is what it has started in other sessions."""
    result = outcome(planted(place, "stubborn", limit_seconds=5.0), place)
    assert result.status == "ended at its limit"
    child = int(result.last_lines[-1])
    deadline = time.monotonic() + 600
    while psutil.pid_exists(child) and psutil.Process(child).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_what_comes_back_is_small(place: Path) -> None:
    """Of much output the end is kept, and of many or large files those that fit; the summary names the others."""
    (place / "loud").mkdir()
    for number in range(9):
        (place / f"loud/{number}.json").write_text("{}")
    with (place / "loud/huge.json").open("wb") as file:
        file.truncate(gpu.MOST_BYTES + 1)
    outcome(planted(place, "loud"), place)
    kept = list((place.parent / "results").iterdir())
    assert len(kept) == gpu.MOST_FILES
    assert max(path.stat().st_size for path in kept) <= gpu.MOST_BYTES
    left_out = json.loads((place.parent / "results/summary.json").read_text())["left_out"]
    assert "huge.json" in left_out
    assert len(left_out) == 10 - (gpu.MOST_FILES - 2)


def test_a_part_that_cannot_run_says_why(place: Path) -> None:
    """A module that is missing, and CUDA where the device is another, are reasons; nothing is begun."""
    assert outcome(planted(place, "fine", modules=("no_such_module",)), place).last_lines == ["no_such_module is not installed"]
    assert outcome(planted(place, "fine", cuda_alone=True), place)[1:3] == ("skipped", 0.0)


@pytest.mark.parametrize("device", ["cuda", "cpu"])
def test_all_parts_end_in_eight_minutes(device: str, tmp_path: Path) -> None:
    """Even where every part hangs and will not end when it is told to; and the logs of all of them fit one file."""
    planned = parts_of(device, tmp_path)
    assert sum(part.limit_seconds + gpu.GRACE_SECONDS for part in planned) <= 480
    assert len(planned) * (gpu.LOG_BYTES + 100) < gpu.MOST_BYTES
    assert len({part.name for part in planned}) == len(planned)


def test_the_rehearsal_has_the_same_parts(tmp_path: Path) -> None:
    """What is rehearsed on the CPU is what a GPU is asked, with less to do."""
    assert [part.name for part in parts_of("cpu", tmp_path)] == [part.name for part in parts_of("cuda", tmp_path)]


def test_wrong_usage_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder that is not empty, a file in its place, and a missing package end it with exit code 2 before anything runs."""
    (tmp_path / "file").write_text("")
    assert main(["upkeep", "gpu", "--device", "cpu", "--results", str(tmp_path)]) == 2
    assert main(["upkeep", "gpu", "--device", "cpu", "--results", str(tmp_path / "file")]) == 2
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gpu, "NEEDED", ("msgspec", "no_such_module"))
        assert main(["upkeep", "gpu", "--device", "cpu", "--results", str(tmp_path / "new")]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == f"bench: --results is {tmp_path}; it must be a new or empty folder"
    assert lines[1] == f"bench: --results is {tmp_path / 'file'}; it must be a new or empty folder"
    assert lines[2].startswith("bench: no_such_module is missing: ")
    assert len(lines) == 3
