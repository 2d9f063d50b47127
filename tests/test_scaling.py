"""Ranks, timed: the ratio and what is made of it, the rows of the suite, and the kills that are counted."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from multiprocessing import Pipe
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from bench.__main__ import main
from bench.evidence.machine import Machine
from bench.evidence.records import read
from bench.ranks import row as ranks_row
from bench.ranks.job import Rank, RankTask, Round
from bench.report import folder
from bench.timing.guards import NotIdenticalError
from bench.timing.once import Once
from bench.upkeep import kills, scaling
from bench.upkeep.kills import Kill, Kills
from bench.upkeep.scaling import Scaling
from targetrl_core import Problem, UsageError, stream
from targetrl_core.devices import cores
from targetrl_core.variants import find_variant
from targetrl_core.variants.variant import TrainToEnd
from tests.some_evidence import evidence, row
from tests.test_suite import run_pytest

TASK = RankTask(policies=2_048_000, steps=50)


def round_of(seconds: float, ranks: int, checksum: int = 7) -> Round:
    """A round in which all ranks come to one sum."""
    return Round(seconds, [checksum] * ranks)


def some_scaling(rounds: int = 8) -> Scaling:
    """Two ranks that are 1.9 times as fast as one, give or take."""
    alone = [round_of(1.9 * (1 + k / 1000), 1) for k in range(rounds)]
    return Scaling(TASK, 2, alone, [round_of(1.0, 2) for _ in range(rounds)], 3.0)


def test_the_ratio_is_that_of_pairs() -> None:
    """The ratio is the median over neighbouring rounds, with its interval."""
    measured = some_scaling()
    assert measured.ratio.low == pytest.approx(1.9, abs=0.01)
    assert measured.ratio.low < measured.ratio.value < measured.ratio.high < 1.92
    assert "2 ranks are 1.907 [1.90" in scaling.text(measured)
    assert "efficiency 95.3%" in scaling.text(measured)


class ScriptedJob:
    """A job whose rounds are written down, and who had its turn when."""

    def __init__(self, ranks: int, turns: list[int], checksum: int) -> None:
        self.ranks, self.turns, self.checksum, self.start_seconds = ranks, turns, checksum, 1.0

    def round(self) -> Round:
        """The next one."""
        self.turns.append(self.ranks)
        return round_of(1.0, self.ranks, self.checksum)


@pytest.mark.parametrize("wrong", [False, True])
def test_rounds_are_mirrored_and_agree(wrong: bool, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: FBT001 — pytest hands it
    """One and several take turns, each second pair the other way round; where they disagree in the checksum there is no ratio."""
    turns: list[int] = []

    @contextmanager
    def started(ranks: int, _task: RankTask) -> Iterator[ScriptedJob]:
        yield ScriptedJob(ranks, turns, checksum=ranks if wrong else 7)

    monkeypatch.setattr(scaling, "started", started)
    if wrong:
        with pytest.raises(UsageError, match="3 ranks and one rank disagree: checksums 0000000000000001, 0000000000000003"):
            scaling.measure(TASK, 3, 2, lambda: None)
        return
    assert scaling.measure(TASK, 3, 4, lambda: None).ratio.value == pytest.approx(1.0)
    assert turns == [1, 3, 3, 1, 1, 3, 3, 1]


def test_ranks_are_rows_of_the_suite() -> None:
    """With --sharding, ranks train and have the checksum of one process; what there are no cores for says so."""
    ran = run_pytest("bench/test_sharding.py", "--benchmark-disable", "--sharding", "--device=cpu", "-rs", "-k", "1000000-2] or 1000000-8]")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    reason = f"not measured: {cores()} cores are here, and a rank takes one"
    assert sum(map(int, re.findall(r"(\d) (?:passed|skipped)", ran.stdout.splitlines()[-1]))) == 2
    assert (reason in ran.stdout) == (cores() < 8)


def test_ranks_wait_until_they_are_asked_for() -> None:
    """Without --sharding their rows say how they are timed."""
    ran = run_pytest("bench/test_sharding.py", "--benchmark-disable", "--device=cpu", "-rs")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "SKIPPED [8] bench/timing/gate.py" in ran.stdout
    assert "not measured: ranks are timed with --sharding" in ran.stdout


def test_the_table_tells_efficiency(tmp_path: Path) -> None:
    """Speeds stand by ranks and N; beside those of several, their share of as many single ones, and reasons where there is none."""
    content = evidence()
    cell = {"question": "sharding", "policies": 1000}
    content["benchmarks"] += [row("fused", 1000, [s] * 9, question="sharding", ranks=ranks) for ranks, s in ((1, 1.0), (2, 0.625))]
    content["targetrl"]["absent"].append(
        {"name": "t", "kind": "not measured", "reason": "2 cores", "cell": content["benchmarks"][-1]["extra_info"] | cell | {"ranks": 4}}
    )
    absent = content["targetrl"]["absent"][-1]["cell"]
    for name in ("identity", "threads", "ulp"):
        del absent[name]
    path = tmp_path / "some-cpu.json"
    path.write_text(json.dumps(content))
    page = folder.text([Machine(read(path))]).partition("### Ranks that train together")[2]
    assert "| 1       | 50.0 k" in page
    assert "| 2       | 80.0 k, 80% [80%, 80%]" in page
    assert "| 4       | – (" in page


def test_ranks_belong_to_their_question(tmp_path: Path) -> None:
    """A row that has ranks and is of another question, or the other way round, is refused."""
    for facts in ({"question": "sharding"}, {"question": "steady state", "ranks": 2}):
        content = evidence()
        content["benchmarks"] = [row("fused", 1000, [1.0] * 9, **facts)]
        path = tmp_path / "some-cpu.json"
        path.write_text(json.dumps(content))
        with pytest.raises(UsageError, match=r"ranks is .*, which cannot be for the question"):
            read(path)


def test_kills_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs that were over before their kill are drawn again; of the others it is told how many ended as they have to."""
    outputs = iter(["whole\nsum 7\n"] * 2 + ["whole\nsum 7\n", "whole\nsum 8\n"])
    killed = iter([True, False, True])
    monkeypatch.setattr(kills, "_run", lambda *_: subprocess.CompletedProcess([], 0, next(outputs), ""))
    monkeypatch.setattr(kills, "_kill", lambda *_: next(killed))
    monkeypatch.setattr(kills, "_kept", lambda *_: 5)
    made = kills.measure(100, 2, lambda: None)
    assert [kill.resumed for kill in made.kills] == [True, False]
    assert kills.text(made).endswith("1 of 2 resumed to the result of an uninterrupted run: sum 7")
    assert "2 after policies had been kept, with 5 to 5 of 100 policies kept" in kills.text(made)


def test_kills_that_are_not_made_up_for_fail(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """`python -m bench upkeep kills` exits 1 where one run did not end as it has to."""
    monkeypatch.setattr(kills, "measure", lambda population, *_: Kills(population, 1.0, "sum 7", [Kill(None, resumed=False)]))
    monkeypatch.setattr(sys, "argv", ["bench", "upkeep", "kills", "--kills", "1"])
    assert main() == 1
    assert "0 of 1 resumed" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["scaling", "--ranks", "1"], "bench: --ranks is 1; it must be a whole number from 2 to 1,024"),
        (["scaling", "--policies", "1.5"], "bench: --policies is 1.5; it must be a whole number from 1 to 1,000,000,000,000,000"),
        (["scaling", "--policies", "nan"], "bench: --policies is nan; it must be a whole number from 1 to 1,000,000,000,000,000"),
        (["kills", "--kills", "0"], "bench: --kills is 0; it must be a whole number from 1"),
        (["kills", "--policies", "1"], "bench: --policies is 1.0; it must be a whole number from 2 to 1,000,000,000,000,000"),
    ],
)
def test_wrong_usage_is_one_line(
    arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What cannot be measured ends with exit code 2 and one line."""
    monkeypatch.setattr(sys, "argv", ["bench", "upkeep", *arguments])
    assert main() == 2
    captured: Any = capsys.readouterr()
    assert captured.err.startswith(message)
    assert captured.err.count("\n") == 1


class Stub:
    """What a row of ranks asks of its gate, without pytest."""

    device, seconds, once = torch.device("cpu"), 0.01, Once()
    benchmark = SimpleNamespace(pedantic=lambda run, rounds: run())  # noqa: ARG005 — pytest-benchmark's own names

    @contextmanager
    def row(self, _cell: object, why_not: str | None) -> Iterator[dict[str, Any]]:
        """A row that is kept nowhere."""
        assert why_not is None
        yield {}


@pytest.mark.parametrize("wrong", [0, 1])
def test_ranks_that_train_something_else_have_no_number(wrong: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checksum that is not that of one process withholds the row, and says both."""
    *_, whole = stream(Problem(), 2000, variant="fused")

    @contextmanager
    def started(ranks: int, _task: RankTask) -> Iterator[ScriptedJob]:
        yield ScriptedJob(ranks, [], whole.checksum ^ wrong)

    monkeypatch.setattr(ranks_row, "started", started)
    message = f"checksum {whole.checksum ^ wrong:016x} of 1 ranks; that of one process is {whole.checksum:016x}"
    with pytest.raises(NotIdenticalError, match=message) if wrong else nullcontext():
        ranks_row.time_ranks(Stub(), Problem(), 2000, 1, None)  # type: ignore[arg-type] # all that is asked of a gate


def test_a_rank_that_ends_is_named(tmp_path: Path) -> None:
    """By its number, and by how it ended: by what it says itself, or else by its exit code and the last line of its standard error."""
    errors = tmp_path / "errors"
    errors.write_text("some warning\nSegmentation fault\n")
    ours, its = Pipe()
    rank = Rank("rank 1 of 2", SimpleNamespace(join=lambda: None, exitcode=-9), ours, errors)  # type: ignore[arg-type] # all that is asked of a process
    its.send("ended with OSError: no port")
    its.close()
    for message in ("rank 1 of 2 ended with OSError: no port", "rank 1 of 2 ended with exit code -9: Segmentation fault"):
        with pytest.raises(UsageError, match=message):
            rank.heard()


def test_what_ranks_train_by_is_what_is_examined(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel that makes another start than `Population.initialise` withholds the row, whatever it makes of a start that is given."""
    honest = find_variant("fused")

    def prepare_to_end(problem: Problem, device: torch.device, n: int) -> TrainToEnd:
        train = honest.prepare_to_end(problem, device, n)  # type: ignore[misc] # it has one
        return lambda seeds: train(range(seeds.start + 1, seeds.stop + 1))  # type: ignore[union-attr] # seeds are all it is given

    monkeypatch.setattr(ranks_row, "choose", lambda *_: honest._replace(prepare_to_end=prepare_to_end))
    with pytest.raises(NotIdenticalError, match="out of bounds"):
        ranks_row.time_ranks(Stub(), Problem(), 2000, 1, None)  # type: ignore[arg-type]
