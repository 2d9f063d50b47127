"""Checkpoints: whatever ends a run, it goes on to the same result; whatever is in the folder, nothing wrong is believed or lost."""

import errno
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from targetrl_core import Problem, Summary, UsageError
from targetrl_core.checkpoint import content, folder
from targetrl_core.checkpoint.folder import Kept, resumed
from targetrl_core.cli import main
from targetrl_core.streaming import Plan, plan

CHUNKS = 5
TOLD: list[str] = []
"""What runs have told of damage."""


class Killed(BaseException):
    """Stands for the end of the process: nothing of it is caught."""


@cache
def small() -> Plan:
    """A population of a few chunks."""
    return plan(Problem(objective="pathwise", steps=20), CHUNKS * 256 - 7, seed=3, chunk=256)


@cache
def uninterrupted() -> Summary:
    """What it has to end as."""
    *_, last = small().train(range(small().n))
    return last


def run(place: Path, chunks: int = CHUNKS, *, resume: bool = True, planned: Plan | None = None) -> Summary:
    """Train some chunks with a checkpoint after each."""
    with closing(resumed(planned or small(), range(small().n), Kept(place, resume, 0.0, TOLD.append))) as stream:
        summary = next(stream)
        for _ in range(chunks):
            summary = next(stream, summary)
    return summary


def assert_whole(summary: Summary) -> None:
    """It is what an uninterrupted run ends as."""
    expected = uninterrupted()
    assert (summary.policies, summary.outcomes, summary.checksum) == (expected.policies, expected.outcomes, expected.checksum)
    assert summary.histogram.equal(expected.histogram)
    assert summary.first_steps.equal(expected.first_steps)


def break_step(monkeypatch: pytest.MonkeyPatch, at: int, ending: Callable[[], BaseException]) -> list[str]:
    """Let one step of writing files go wrong, the ``at``-th of all; those that were taken."""
    taken: list[str] = []

    def broken(name: str, act: Callable[..., Any]) -> Callable[..., Any]:
        def acted(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401 — whatever the step takes
            taken.append(name)
            if len(taken) == at:
                raise ending()
            return act(*arguments, **options)

        return acted

    monkeypatch.setattr(os, "fsync", broken("fsync", os.fsync))
    monkeypatch.setattr(Path, "replace", broken("replace", Path.replace))
    monkeypatch.setattr(tempfile, "mkstemp", broken("mkstemp", tempfile.mkstemp))
    if ending is Killed:  # the dead tidy nothing up
        monkeypatch.setattr(Path, "unlink", lambda *_, **__: None)
    return taken


@pytest.mark.parametrize("ending", [Killed, lambda: OSError(errno.ENOSPC, "No space left on device")])
def test_a_run_that_ends_at_any_step_goes_on(ending: Callable[[], BaseException], tmp_path: Path) -> None:
    """Killed, or out of disk, at any step of writing any checkpoint, the next run ends as an uninterrupted one."""
    at, done = 0, False
    while not done:
        at += 1
        with pytest.MonkeyPatch.context() as patch:
            break_step(patch, at, ending)
            try:
                run(tmp_path / str(at))
                done = True
            except (Killed, UsageError):
                pass
        assert_whole(run(tmp_path / str(at)))
        names = {path.name for path in (tmp_path / str(at)).iterdir()}
        assert names <= {"shard-0-of-1-a.json", "shard-0-of-1-b.json", "shard-0-of-1.lock"}
    assert at > 4 * CHUNKS


def test_a_full_disk_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the file, what is wrong, and the way out."""
    break_step(monkeypatch, 12, lambda: OSError(errno.ENOSPC, "No space left on device"))
    with pytest.raises(UsageError) as raised:
        run(tmp_path)
    assert str(raised.value).startswith(f"{tmp_path}/shard-0-of-1-")
    assert "No space left on device; the checkpoint before it is whole: mend that and go on with --resume" in str(raised.value)


@pytest.fixture
def same_threads() -> Iterator[None]:
    """As many threads afterwards as before."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def newest(place: Path) -> Path:
    """The file of the furthest checkpoint."""
    return max(place.glob("*.json"), key=lambda path: json.loads(path.read_text().splitlines()[1])["trained"])


@pytest.mark.parametrize("left", [0.0, 0.01, 0.1, 0.5, 0.999])
def test_a_truncated_checkpoint_is_passed_over(left: float, tmp_path: Path) -> None:
    """Where the newest file has lost its end, as by a power cut, the one before it is gone on from."""
    run(tmp_path, 3)
    path = newest(tmp_path)
    path.write_bytes(path.read_bytes()[: int(left * path.stat().st_size)])
    TOLD.clear()
    assert run(tmp_path, 0).policies == 2 * 256
    assert [line.startswith(f"{path}: ") and line.endswith(": going on from the checkpoint before it") for line in TOLD] == [True]
    assert_whole(run(tmp_path))


def test_two_damaged_checkpoints_are_refused(tmp_path: Path) -> None:
    """Where no file is whole, the run is refused by the file's name, and both stay as they are."""
    run(tmp_path, 3)
    for path in tmp_path.glob("*.json"):
        path.write_bytes(path.read_bytes().replace(b'"trained":', b'"trained":1'))
    before = {path: path.read_bytes() for path in tmp_path.glob("*.json")}
    with pytest.raises(UsageError, match=r"shard-0-of-1-a\.json: its content is not what its sha256 says.*no older one is whole"):
        run(tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.glob("*.json")} == before


def test_a_finished_run_is_told_again(tmp_path: Path) -> None:
    """Resumed once more, a run that is over trains nothing and has the same result."""
    run(tmp_path)
    assert_whole(run(tmp_path, 0))


def signed(body: dict[str, Any], version: int = content.VERSION) -> str:
    """A file with a digest that fits."""
    text = json.dumps(body)
    return json.dumps({"targetrl": "checkpoint", "version": version, "sha256": sha256(text.encode()).hexdigest()}) + f"\n{text}\n"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"trained": 100}, "its outcomes are not of 100 policies; it is damaged"),
        ({"first_steps": [512]}, "its counts are not of 512 policies; it is damaged"),
        ({"outcomes": [512, 0, 0, -1]}, "Expected `int` >= 0 - at `$.outcomes[3]`; it is damaged or no checkpoint"),
        ({"checksum": "xyz"}, "Expected `str` matching regex"),
        ({"more": 1}, "Object contains unknown field `more`"),
        ({"start": 256}, "first policy is 256, and this run's is 0"),
        ({"facts": {}}, "population is missing, and this run's is 1273"),
    ],
)
def test_what_cannot_be_is_not_believed(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    """A file whose digest fits and whose content does not is refused by name."""
    run(tmp_path, 2)
    body = json.loads(newest(tmp_path).read_text().splitlines()[1])
    path = tmp_path / "other.json"
    path.write_text(signed(body | change))
    with pytest.raises(UsageError) as raised:
        content.read(path, small(), range(small().n))
    assert str(raised.value).startswith(f"{path}: ")
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_another_version_is_refused(tmp_path: Path) -> None:
    """A file of a version to come is not taken for a damaged one."""
    run(tmp_path, 2)
    newest(tmp_path).write_text(signed({}, version=2))
    with pytest.raises(UsageError, match="version is 2; this targetrl reads checkpoints of version 1"):
        run(tmp_path)


@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "large"])
def test_only_regular_files_of_a_fit_size_are_read(kind: str, tmp_path: Path) -> None:
    """A link is not followed, a pipe not waited for, and no more is read than a checkpoint can have."""
    path = tmp_path / "some.json"
    if kind == "link":
        path.symlink_to(tmp_path / "elsewhere")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.write_bytes(b" " * (content.BYTES + 21 * content.BYTES_PER_COUNT + 1))
    expected = {"link": "it is a link", "pipe": "it is no regular file", "folder": "Is a directory", "large": "it is larger than"}
    with pytest.raises(UsageError, match=expected[kind]):
        content.read(path, small(), range(small().n))


@given(st.one_of(st.binary(max_size=300), st.binary(max_size=300).map(lambda tail: signed({}).encode() + tail)))
def test_any_bytes_are_refused_in_one_line(tmp_path_factory: pytest.TempPathFactory, text: bytes) -> None:
    """Whatever a file holds, it is read or refused by its name."""
    path = tmp_path_factory.getbasetemp() / "hostile.json"
    path.write_bytes(text)
    with pytest.raises(UsageError) as raised:
        content.read(path, small(), range(small().n))
    assert "\n" not in str(raised.value)


def test_another_run_is_refused_by_key_and_values(tmp_path: Path) -> None:
    """What was trained on another problem, from another seed or by another variant is not gone on from."""
    run(tmp_path, 2)
    others = {
        "lr is 0.1, and this run's is 0.2": small()._replace(problem=small().problem.replace(lr=0.2)),
        "seed is 3, and this run's is 4": small()._replace(seed=4),
        "steps is 20, and this run's is 21": small()._replace(problem=small().problem.replace(steps=21)),
        "lr is 0.1, and this run's is sha256": small()._replace(problem=small().problem.replace(lr=[0.1] * small().n)),
    }
    for message, other in others.items():
        with pytest.raises(UsageError, match=message):
            run(tmp_path, planned=other)
    assert_whole(run(tmp_path))


def test_nothing_is_overwritten_without_resume(tmp_path: Path) -> None:
    """A folder that holds a run, or anything else, is refused unless it is to be gone on from."""
    run(tmp_path / "mine", 2)
    with pytest.raises(UsageError, match=r"shard-0-of-1-a\.json is there; go on from it with --resume, or name an empty folder"):
        run(tmp_path / "mine", resume=False)
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "thesis.tex").touch()
    with pytest.raises(UsageError, match=r"thesis\.tex is there; without --resume it must be an empty folder"):
        run(tmp_path / "theirs", resume=False)
    with pytest.raises(UsageError, match="Not a directory; --checkpoint must name a folder to write in"):
        run(tmp_path / "theirs" / "thesis.tex" / "below")
    with pytest.raises(UsageError, match=r"shard-0-of-1-a\.json is there, one of 1 shards, and this run has 2"):
        next(resumed(small(), range(9), Kept(tmp_path / "mine", resume=True, every_seconds=0.0, tell=TOLD.append), 0, 2))


def test_two_runs_at_once_are_refused(tmp_path: Path) -> None:
    """While one run is at work in a folder, another one is not."""
    with folder.opened(tmp_path, 0, 1, resume=True), pytest.raises(UsageError, match="another run is at work there"):
        run(tmp_path)
    assert_whole(run(tmp_path))


@pytest.mark.usefixtures("same_threads")
def test_killed_for_real_it_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Three times killed by SIGKILL at whatever moment, `targetrl train --resume` ends with the checksum of an uninterrupted run."""
    train = ["train", "--population", "2e7", "--steps", "30"]
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # the machine's other work would have one thread wait for another
    torch.set_num_threads(1)
    assert main(train) == 0
    expected = capsys.readouterr().out
    command = [sys.executable, "-m", "targetrl_core", *train, "--checkpoint", str(tmp_path), "--resume", "--checkpoint-every", "0.01"]
    for delay in (0.0, 0.13, 0.21):
        before = sorted(path.stat().st_mtime_ns for path in tmp_path.glob("*.json"))
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as killed:
            while killed.poll() is None and sorted(path.stat().st_mtime_ns for path in tmp_path.glob("*.json")) == before:
                time.sleep(0.002)
            time.sleep(delay)
            killed.send_signal(signal.SIGKILL)
        assert killed.returncode in (-signal.SIGKILL, 0)  # on a fast machine it may be done before
    assert main([*train, "--checkpoint", str(tmp_path), "--resume"]) == 0
    assert capsys.readouterr().out == expected


def test_told_to_end_it_keeps_what_it_has(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """After SIGTERM, `targetrl train` keeps what has been trained since the last checkpoint, and says how to go on."""
    train = ["train", "--population", "5000", "--steps", "20"]
    assert main(train) == 0
    expected = capsys.readouterr().out
    whole = Plan.train

    def interrupted(planned: Plan, span: range, before: Summary | None = None) -> Iterator[Summary]:
        summaries = whole(planned._replace(chunk=1000), span, before)
        yield next(summaries)
        yield next(summaries)
        os.kill(os.getpid(), signal.SIGTERM)
        yield next(summaries)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Plan, "train", interrupted)
        assert main([*train, "--checkpoint", str(tmp_path)]) == 130
    assert json.loads(newest(tmp_path).read_text().splitlines()[1])["trained"] == 2000
    shown = capsys.readouterr().err
    assert shown == f"targetrl: interrupted after 2,000 of 5,000 policies; go on with --checkpoint {tmp_path} --resume\n"
    assert main([*train, "--checkpoint", str(tmp_path), "--resume"]) == 0
    assert capsys.readouterr().out == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--resume"], "targetrl: --resume is given; it needs --checkpoint DIR"),
        (["--checkpoint", "some"], "targetrl: --checkpoint is some; it is for a population, and --population is 1"),
    ],
)
def test_what_has_no_checkpoints_is_refused(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A flag that could not do what it says is wrong usage."""
    assert main(["train", *arguments]) == 2
    assert capsys.readouterr().err.startswith(message)
