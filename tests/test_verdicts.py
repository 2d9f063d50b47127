"""`bench ab`: two versions in one process, and what becomes of broken, cheating and interrupted runs."""

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bench.evidence.files import ROOT
from bench.evidence.untrusted import decoded
from bench.report.verdicts import verdicts_section
from bench.timing.cases import SuiteRow, select
from bench.upkeep import self_test
from bench.verdicts import rule, table, trials
from bench.verdicts.messages import ProcessTask, ProcessTimes, RowTask
from bench.verdicts.process import Trainer, measure
from bench.verdicts.rule import Decision
from bench.verdicts.run import Comparison, make_rounds, run_process
from bench.verdicts.sides import PACKAGE, Side, SideName, Snapshot, snapshot
from bench.verdicts.trials import proportion
from targetrl_core import UsageError

SIDES: tuple[SideName, ...] = ("base", "head")
TINY = SuiteRow("detached", "native", 100, "batched", steps=2)
HERE = Snapshot("a commit", Path())
HANGS_SECONDS = 600
"""After which a process hangs, however slow the machine is."""


def test_rows_are_selected_as_pytest_selects() -> None:
    """An expression chooses among the suite's own names; one that fits none, or is none, is named."""
    names = [row.name for row in select("fused and portable and not 10000")]
    assert names == ["detached-portable-1-fused"]
    with pytest.raises(UsageError, match="fits none of the rows"):
        select("nothing")
    with pytest.raises(UsageError, match="'fused and'"):
        select("fused and")


@pytest.fixture(scope="module")
def rounds(tmp_path_factory: pytest.TempPathFactory) -> dict[SuiteRow, str]:
    """The rounds of the smallest row."""
    return make_rounds([TINY], tmp_path_factory.mktemp("rounds"))


def changed(folder: Path, file: str, text: str) -> Path:
    """A copy of the package, with ``text`` added to one of its files."""
    shutil.copytree(ROOT / PACKAGE, folder / PACKAGE)
    path = folder / PACKAGE / file
    path.write_text(path.read_text() + text)
    return folder


def comparison(base: Path, head: Path, rounds: str, planted: float = 0.0) -> Comparison:
    """A run of the smallest row."""
    tasks = [RowTask(name="row", row=TINY, rounds=rounds, planted=planted)]
    return Comparison(tasks, Snapshot("BASE", base), Snapshot("HEAD", head), "cpu")


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This version."""
    return snapshot(None, tmp_path_factory.mktemp("versions") / "here").folder


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process do what one of a comparison would do: it has torch already, and a mark that a version left is taken away before."""

    def run(task: ProcessTask, _scratch: Path) -> ProcessTimes:
        vars(sys).pop("registered", None)
        return measure(task)

    monkeypatch.setattr("bench.verdicts.run.run_process", run)
    monkeypatch.setattr("bench.verdicts.process._settle", lambda: None)


def test_two_versions_live_in_one_process(tmp_path: Path) -> None:
    """Each has its own modules, those that its functions import later included, and leaves those of this process alone."""
    before = sys.modules[PACKAGE]
    sides = [Side(name, changed(tmp_path / name, "errors.py", f"\nSIDE = {name!r}\n")) for name in ("base", "head")]
    for side in sides:
        with side.active():
            import targetrl_core.errors

            assert side.public("UsageError") is targetrl_core.errors.UsageError
            assert vars(targetrl_core.errors)["SIDE"] == side.name
    assert sys.modules[PACKAGE] is before
    assert sides[0].public("Problem") is not sides[1].public("Problem")


@pytest.mark.usefixtures("in_this_process")
def test_a_planted_slowdown_is_measured(here: Path, rounds: dict[SuiteRow, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A process in which HEAD is held up by half of its time finds it half slower, whichever side was alone at first."""
    now, prepared = [0.0], Trainer.__init__

    def look() -> float:
        now[0] += 1e-6
        return now[0]

    def takes_a_millisecond(trainer: Trainer, *arguments: Any) -> None:  # noqa: ANN401 — those of a trainer
        prepared(trainer, *arguments)
        train = trainer.train

        def timed(population: Any, history: None) -> Any:  # noqa: ANN401 — of either version
            now[0] += 1e-3
            return train(population, history)

        trainer.train = timed

    monkeypatch.setattr("bench.verdicts.process.synchronized_clock", look)
    monkeypatch.setattr(Trainer, "__init__", takes_a_millisecond)
    run = comparison(here, here, rounds[TINY], planted=0.5)
    for first in SIDES:
        task = ProcessTask(folders=dict.fromkeys(SIDES, str(here)), first=first, rows=list(run.tasks), device="cpu", result="", probed=True)
        times = measure(task).rows["row"]
        assert times.missing is None
        assert times.alone_seconds == pytest.approx(0.0015 if first == "head" else 0.001, rel=0.01)
        assert times.compared == pytest.approx(math.log(1.5), abs=0.01)


@pytest.mark.usefixtures("in_this_process")
def test_a_version_that_computes_something_else_is_withheld(here: Path, tmp_path: Path, rounds: dict[SuiteRow, str]) -> None:
    """HEAD is fast because it trains nothing: the row has no ratio, and the reason names HEAD."""
    cheat = "\nBATCHED = BATCHED._replace(prepare=lambda problem, device, n: lambda population, history: population)\n"
    run = comparison(here, changed(tmp_path / "head", "variants/batched.py", cheat), rounds[TINY])
    run.decide(60, lambda _run: None)
    assert run.processes == 1
    assert run.samples["row"].paired == []
    assert run.missing["row"].kind == "withheld"
    assert run.missing["row"].reason.startswith("HEAD: ")


@pytest.mark.usefixtures("in_this_process")
def test_a_version_that_cannot_prepare_is_not_measured(here: Path, tmp_path: Path, rounds: dict[SuiteRow, str]) -> None:
    """What BASE raises is the row's reason, and names BASE."""
    broken = "\ndef _fail(*_): raise RuntimeError('no such kernel')\nBATCHED = BATCHED._replace(prepare=_fail)\n"
    run = comparison(changed(tmp_path / "base", "variants/batched.py", broken), here, rounds[TINY])
    run.decide(60, lambda _run: None)
    assert run.missing["row"].reason == "BASE failed: RuntimeError: no such kernel"


@pytest.mark.usefixtures("in_this_process")
def test_a_base_that_does_not_build_is_named(here: Path, tmp_path: Path, rounds: dict[SuiteRow, str]) -> None:
    """A version that cannot be imported ends the run in one line."""
    base = changed(tmp_path / "base", "__init__.py", "\nimport nothing_of_this_name\n")
    with pytest.raises(UsageError, match=r"BASE does not run: ModuleNotFoundError: .*nothing_of_this_name"):
        comparison(base, here, rounds[TINY]).decide(60, lambda _run: None)


@pytest.mark.usefixtures("in_this_process")
def test_versions_that_exclude_each_other_are_timed_apart(tmp_path: Path, rounds: dict[SuiteRow, str]) -> None:
    """Where the second import raises, each side has processes of its own, and the run says why."""
    once = "\nimport sys\nif hasattr(sys, 'registered'): raise RuntimeError('registered twice')\nsys.registered = True\n"
    base, head = (changed(tmp_path / name, "__init__.py", once) for name in ("base", "head"))
    run = comparison(base, head, rounds[TINY])

    def enough(run: Comparison) -> None:
        if run.processes == 2:
            raise KeyboardInterrupt

    run.decide(300, enough)
    assert run.apart == "RuntimeError: registered twice"
    assert run.samples["row"].base
    assert run.samples["row"].head


def test_an_unknown_commit_is_named(tmp_path: Path) -> None:
    """What git does not know is refused, an option in its place included."""
    for name in ("no-such-branch", "--output=x", "HEAD:README.md"):
        with pytest.raises(UsageError, match="must be a commit"):
            snapshot(name, tmp_path / name.replace(":", "-"))


def ab(*arguments: str, temporary: Path) -> subprocess.Popen[str]:
    """The command, with a temporary folder of its own."""
    command = [sys.executable, "-m", "bench", "ab", *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, env=os.environ | {"TMPDIR": str(temporary)}, stdout=pipe, stderr=pipe, text=True)


def test_a_budget_that_is_too_small_leaves_rows_unclear(tmp_path: Path) -> None:
    """The command says of each row that it is UNCLEAR and why, in JSON, with exit code 0, and leaves nothing behind."""
    process = ab("HEAD", "--select", "detached-native-100-batched and not batched-", "--budget", "0.1", "--json", temporary=tmp_path)
    printed, _ = process.communicate(timeout=HANGS_SECONDS)
    assert process.returncode == 0
    content = json.loads(printed)
    assert content["stopped"] == "the budget was used up"
    assert content["rows"]["detached-native-100-batched"]["verdict"] == "UNCLEAR"
    assert list(tmp_path.glob("targetrl*")) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_prints_what_it_has(tmp_path: Path, number: signal.Signals) -> None:
    """Told to end, it prints its table, ends with 130, and leaves no process and no file behind."""
    process = ab("HEAD", "--select", "detached-native-100-batched and not batched-", temporary=tmp_path)
    deadline = time.monotonic() + HANGS_SECONDS
    while not list(tmp_path.glob("targetrl-ab-*/head/targetrl_core/__init__.py")) or not children(process.pid):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    time.sleep(1)
    begun = children(process.pid)
    process.send_signal(number)
    printed, _ = process.communicate(timeout=HANGS_SECONDS)
    assert process.returncode == 130
    assert "UNCLEAR" in printed
    assert "interrupted" in printed
    assert list(tmp_path.glob("targetrl*")) == []
    assert not any(Path(f"/proc/{pid}").exists() for pid in begun)


def children(pid: int) -> list[int]:
    """Processes that a process has started."""
    import psutil

    return [child.pid for child in psutil.Process(pid).children(recursive=True)]


def test_a_share_has_an_exact_interval() -> None:
    """The interval of Clopper and Pearson, for values that tables give."""
    assert [round(value, 4) for value in proportion(0, 10)] == [0.0, 0.0, 0.3085]
    assert [round(value, 4) for value in proportion(5, 10)] == [0.1871, 0.5, 0.8129]
    assert [round(value, 4) for value in proportion(10, 10)] == [0.6915, 1.0, 1.0]


def test_evidence_of_the_self_test_is_checked_when_read(tmp_path: Path) -> None:
    """A field of the wrong kind is named by its path; a folder without evidence has no section."""
    path = tmp_path / f"machine-cpu{trials.SUFFIX}"
    path.write_text('{"schema": 1, "label": "../x"}')
    with pytest.raises(UsageError, match=r"machine-cpu-verdicts.json: .*\$\.label"):
        decoded(path, trials.Trials)
    path.unlink()
    assert list(verdicts_section(tmp_path)) == []


def test_the_rule_needs_no_torch() -> None:
    """Deciding and counting import no torch: the tables are made where there is none."""
    code = "import sys, bench.verdicts.trials, bench.report.verdicts; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_a_process_that_dies_is_named(tmp_path: Path) -> None:
    """Its exit code and last words are the error."""
    task = ProcessTask(folders={}, first="base", rows=[], device="nowhere", result=str(tmp_path / "said"))
    with pytest.raises(UsageError, match=r"ended with exit code 1: .*nowhere"):
        run_process(task, tmp_path)


def decided_run() -> Comparison:
    """A run of two rows, one slower after 8 processes and one the same after 16."""
    tasks = [RowTask(name=name, row=TINY, rounds="") for name in ("my_row", "still")]
    run = Comparison(tasks, HERE, HERE, "cpu")
    ratios = {
        name: rule.Estimate(mean, 0.001, 11).interval(alpha) for name, mean, alpha in (("my_row", 0.05, 0.002), ("still", 0.0, 0.003))
    }
    run.decided = {"my_row": Decision("SLOWER", ratios["my_row"], 8), "still": Decision("SAME", ratios["still"], 16)}
    return run


def test_an_interval_is_printed_with_its_level() -> None:
    """The table, its Markdown and its JSON say of each row of what level its interval is: 99.6 % after 8 processes, 99.4 % after 16."""
    run = decided_run()
    assert "1.051 [1.047, 1.055, 99.6%]" in table.text(run)
    assert "1.000 [0.997, 1.003, 99.4%]" in table.text(run)
    assert r"| `my_row` | **SLOWER** | 1.051 \[1.047, 1.055, 99.6%\]" in table.markdown(run)
    assert "[interval, its level]" in table.markdown(run)
    rows = json.loads(table.as_json(run))["rows"]
    assert [rows[name]["ratio"]["level"] for name in rows] == [pytest.approx(0.996), pytest.approx(0.994)]


def test_a_set_of_the_self_test_is_recorded(tmp_path: Path) -> None:
    """Every trial says which set of processes it is of, so that those of a row and set are one cluster, whatever their groups."""
    tasks = self_test._tasks(dict.fromkeys(self_test.ROWS, ""))  # noqa: SLF001
    runs = [Comparison(tasks, HERE, HERE, "cpu") for _ in range(2)]
    for run in runs:
        for sample in run.samples.values():
            sample.paired = [0.0] * 16
    made = [trial for number, run in enumerate(runs) for trial in self_test._trials(run, number)]  # noqa: SLF001
    assert {trial.cluster for trial in made} == {(number, row.name) for number in range(2) for row in self_test.ROWS}
    written = self_test._evidence(made, "cpu", beside_load=False)  # noqa: SLF001
    (tmp_path / f"a{trials.SUFFIX}").write_bytes(msgspec.json.encode(written))
    assert decoded(tmp_path / f"a{trials.SUFFIX}", trials.Trials) == written
