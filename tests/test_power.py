"""The power of the examination: what is planted is found where it is large, and the smallest such size is told."""

import re
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from bench.__main__ import main
from bench.upkeep import power
from bench.upkeep.power import KINDS, NONE, PILOT, ErrorKind, Examinee, PowerTask, Result, measure, smallest_size, table
from targetrl_core import Population, Problem, Variant, train
from targetrl_core.certification import certify, same_bits
from targetrl_core.listing.defaults import OBJECTIVES, Objective

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
TINY = 2.0**-40
"""Of itself: nothing that float32 could hold."""


def examinee(objective: Objective) -> Examinee:
    """Twenty policies."""
    problem, population = Problem(objective=objective), Population.initialise(20)
    return Examinee(problem, population, certify(problem, population))


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("name", KINDS)
def test_a_large_error_is_found(name: str, objective: Objective) -> None:
    """Of every kind, the largest size that is tried, under every objective."""
    kind = KINDS[name]
    assert smallest_size(kind._replace(sizes=kind.sizes[-1:]), [examinee(objective)]) == kind.sizes[-1]


@pytest.mark.parametrize("name", KINDS)
def test_every_size_can_be_planted(name: str) -> None:
    """A tiny one leaves the bits of an honest run, every size that is tried trains, and the largest ends further away than the smallest."""
    problem, population, cpu = Problem(), Population.initialise(50), torch.device("cpu")
    honest = train(problem, population, variant="batched").population
    kind = KINDS[name]
    assert same_bits(kind.plant(TINY, problem, cpu, 50)(population.clone(), None), honest)
    distances = []
    for size in kind.sizes:
        trained = kind.plant(size, problem, cpu, 50)(population.clone(), None).tensors()
        distances.append(max(float((trained[tensor] - right).abs().max()) for tensor, right in honest.tensors().items()))
    assert distances[-1] > max(distances[0], 1e-6)


class ScriptedExaminations:
    """Examinations that find what is at least as large as a threshold, and keep the sizes that were examined."""

    def __init__(self, thresholds: list[float]) -> None:
        self.examined: list[float] = []
        self.thresholds = thresholds

    def examinees(self) -> Any:  # noqa: ANN401 — stands for examinees
        """One for each threshold."""
        return [type("Scripted", (), {"finds": partial(self.finds, threshold)})() for threshold in self.thresholds]

    def finds(self, threshold: float, variant: Variant) -> bool:
        """Whether the size planted reaches a threshold."""
        assert isinstance(variant.prepare, partial)
        self.examined.append(variant.prepare.args[0])
        return bool(variant.prepare.args[0] >= threshold)


SIZES = ErrorKind(KINDS["lr"].plant, tuple(float(size) for size in range(1, 33)), str)


@pytest.mark.parametrize(
    ("thresholds", "size"),
    [
        ([7.0] * 100, 7.0),
        ([7.0] * 99 + [9.0], 7.0),
        ([7.0] * 98 + [9.0, 20.0], 9.0),
        ([7.0] * 99, 7.0),
        ([7.0] * 98 + [9.0], 9.0),
        ([33.0] * 100, None),
        ([0.5] * 100, 1.0),
    ],
)
def test_all_but_one_in_a_hundred_have_to_find_it(thresholds: list[float], size: float | None) -> None:
    """One of a hundred examinations may miss, of fewer none."""
    assert smallest_size(SIZES, ScriptedExaminations(thresholds).examinees()) == size


def test_a_size_is_refused_at_its_second_miss() -> None:
    """No more is examined than has to be: eight times for each halving, and all but twice for the size itself."""
    scripted = ScriptedExaminations([7.0] * 100)
    smallest_size(SIZES, scripted.examinees())
    assert len(scripted.examined) <= 100 + 5 * PILOT
    assert all(scripted.examined.count(size) == 2 for size in set(scripted.examined) if size < 7.0)


def test_honest_runs_are_refused_by_none() -> None:
    """Tasks are measured in processes of their own, in order, each told when it is done."""
    ended: list[None] = []
    tasks = [PowerTask(NONE, "detached", 5, 2)]
    assert measure(tasks, lambda: ended.append(None)) == [Result(tasks[0], None, 0)]
    assert len(ended) == 1


SOME = [
    Result(PowerTask(NONE, "detached", 100, 100), None, 3),
    Result(PowerTask("lr", "detached", 100, 100), 1e-6),
    Result(PowerTask("gradients rounded", "detached", 100, 100), 2.0**-18),
    Result(PowerTask("untrained policies", "detached", 100, 100), 0.005),
    Result(PowerTask("eps", "detached", 100, 100), None),
]


def test_the_table_shows_each_kind_in_its_own_terms() -> None:
    """A part of itself, bits, a share; what was not found, and how often honest runs were refused."""
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table(SOME, 100).splitlines() if line.startswith("|")]
    assert cells[0] == ["error", "`detached`, N = 100"]
    assert cells[2:] == [
        ["none", "refused in 3 of 100"],
        ["lr", "1e-6"],
        ["gradients rounded", "to 18 bits"],
        ["untrained policies", "0.5 %"],
        ["eps", "not found at 5000"],
    ]
    assert "in 30 of 30 examinations" in table(SOME, 30)
    assert "in at least 99 of 100 examinations, a share whose 95 % interval is 94.6 to 100.0 %" in table(SOME, 100)


def test_the_command_asks_for_every_kind(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """For each objective and number of policies."""
    measured: list[PowerTask] = []

    def measure(tasks: list[PowerTask], _tell: object) -> list[Result]:
        measured[:] = tasks
        return [Result(task, None) for task in tasks]

    monkeypatch.setattr(power, "measure", measure)
    arguments = ["--policies", "10", "--policies", "1000", "--objective", "pathwise", "--examinations", "7", "--quiet"]
    assert main(["upkeep", "power", *arguments]) == 0
    assert "in 7 of 7 examinations" in capsys.readouterr().out
    assert measured == [PowerTask(kind, "pathwise", n, 7) for n in (10, 1000) for kind in (NONE, *KINDS)]
    assert main(["upkeep", "power", "--quiet"]) == 0
    assert "| `detached`, N = 100" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--examinations", "0"], "--examinations is 0; it must be a whole number from 1 to 100,000"),
        (["--policies", "100001"], "--policies is 100001; it must be a whole number from 1 to 100,000"),
        (["--objective", "both"], "--objective is 'both'; it must be one of detached, pathwise, reinforce"),
    ],
)
def test_wrong_options_are_refused_by_name(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything is measured."""
    assert main(["upkeep", "power", *arguments]) == 2
    assert capsys.readouterr().err == f"bench: {message}\n"


def test_the_front_page_tells_the_power_of_each_kind() -> None:
    """Its table has a row for every kind, in order, and no other."""
    rows = README.partition("| error ")[2].partition("\n\n")[0]
    assert re.findall(r"^\| ([^-|`][^|]*?) +\|", rows, re.MULTILINE) == [NONE, *KINDS]
