"""Planted cheats: each is rejected by name and reason, in verify and in a benchmark run, and no honest variant is."""

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from targetrl_core import VARIANTS, Population, Problem, Variant, verify
from targetrl_core.certification import certify
from targetrl_core.convergence import Expectation, check
from targetrl_core.problem import as_float64
from tests.cheats import CHEATS

ROOT = Path(__file__).parent.parent

pytestmark = pytest.mark.examination

REASONS = {
    "cheat-first-steps": "with first steps told: ",
    "cheat-seeds": "trained from seeds: weight of ",
    "cheat-trained-when-read": "the result is of type _LazyPopulation; it must be a Population itself",
    "cheat-without-moments": "a population that goes on: ",
    "cheat-without-age": "a population that goes on: ",
    "cheat-averaged-constants": "another problem: ",
    "cheat-few-steps": "another problem: ",
    "cheat-buffers-reused": "a result changed when the variant was called again",
    "cheat-threads-changed": "the variant left the number of threads changed",
    "cheat-check-replaced": "the variant replaced row_faults of targetrl_core.recorded",
    "cheat-skipped-step": "weight of 1000 policies out of bounds",
    "cheat-lr": "weight of ",
    "cheat-eps": "out of bounds",
    "cheat-beta2-float32": "v_weight of 1000 policies out of bounds",
    "cheat-half-precision-gradients": "m_weight of ",
    "cheat-wrong-policy": "weight of ",
    "cheat-frozen": "weight of 1000 policies out of bounds",
    "cheat-cached": "probe population: weight of ",
    "cheat-replayed": "probe population: weight of ",
    "cheat-mutated-input": "the variant changed k of the problem it was given",
    "cheat-early-return": "weight of 1000 policies out of bounds",
    "cheat-moments-wrong": "v_weight of 1000 policies out of bounds",
    "cheat-one-nan": "weight of 1 policies out of bounds: policy 999, after step 50, weight: nan",
    "cheat-lazy": "the trained population holds _LazyTensor where plain tensors are right",
}
"""What each cheat's rejection has to name."""

FASTER_THAN_IT_IS = ("cheat-foreseen",)
"""Those that train as they have to, and are timed at something else: a benchmark run rejects them."""

ALL = (*REASONS, *FASTER_THAN_IT_IS)


def case_of(objective: Any) -> tuple[Problem, Population, Expectation]:  # noqa: ANN401 — the name of one
    """A problem, 1,000 policies, and what they have to become."""
    problem, population = Problem(objective=objective), Population.initialise(1000)
    return problem, population, certify(problem, population)


@pytest.fixture(scope="module")
def detached() -> tuple[Problem, Population, Expectation]:
    """Where all cheats show."""
    return case_of("detached")


@pytest.mark.parametrize("cheat", [cheat for cheat in CHEATS if cheat.name in REASONS], ids=lambda cheat: cheat.name)
def test_verify_rejects(cheat: Variant, detached: tuple[Problem, Population, Expectation]) -> None:
    """Each cheat is rejected, with the reason that fits it."""
    problem, population, expectation = detached
    report = verify(problem, population, variant=cheat, expectation=expectation)
    assert not report.identical
    assert report.level == "diverged"
    assert any(REASONS[cheat.name] in reason for reason in report.reasons), report.reasons


def test_the_check_rejects_under_another_objective() -> None:
    """What trains wrongly is rejected under `pathwise` too, by the check of the run itself."""
    problem, population, expectation = case_of("pathwise")
    wrong = {name for name, reason in REASONS.items() if re.match(r"\w+ of |out of bounds", reason)}
    wrong -= {"cheat-eps"}  # ten times an eps of 1e-8 is below rounding where no gradient is small
    assert {"cheat-lr", "cheat-skipped-step", "cheat-beta2-float32", "cheat-wrong-policy", "cheat-one-nan"} < wrong
    for cheat in CHEATS:
        if cheat.name in wrong:
            trained = cheat.prepare(problem, torch.device("cpu"), 1000)(population.clone(), None)
            assert check(expectation, trained).level == "diverged", cheat.name


def test_every_cheat_is_expected_for_a_reason() -> None:
    """No cheat is planted without saying what has to give it away."""
    assert set(ALL) == {cheat.name for cheat in CHEATS}


def test_below_rounding_is_not_caught() -> None:
    """lr·(1 + 1e-9), below rounding, passes, as the contract says it must: the check measures, it does not guess."""
    base = next(variant for variant in VARIANTS if variant.name == "batched")

    def prepare(problem: Problem, device: object, n: int) -> object:
        return base.prepare(problem.replace(lr=as_float64(problem.lr) * (1 + 1e-9)), device, n)  # type: ignore[arg-type]

    slightly = Variant("slightly-off", base.unsupported, prepare)  # type: ignore[arg-type]
    assert verify(Problem(), Population.initialise(1000), variant=slightly).identical


@pytest.mark.parametrize("mode", ["timed", "disabled"])
def test_a_benchmark_run_withholds_every_cheat(mode: str, tmp_path: Path) -> None:
    """In timed and in --benchmark-disable runs a cheat has no row in terminal, JSON or table, says why, and fails the run."""
    saved = tmp_path / "saved.json"
    some = ("cheat-lr", "cheat-cached", "cheat-first-steps")
    names = some if mode == "disabled" else ALL
    disabled = ["--benchmark-disable", "-k", " or ".join(("[cpu-batched]", *some))]
    arguments = disabled if mode == "disabled" else ["--benchmark-only", f"--benchmark-json={saved}"]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "tests/cheat_suite.py", "-o", "addopts=--import-mode=importlib",
         "-p", "tests.quiet", "-p", "no:cacheprovider",
         "--device", "cpu", "--label", "cheats", f"--results={tmp_path / 'results'}", *arguments],
        cwd=ROOT, capture_output=True, text=True, check=False, env=os.environ | {"COLUMNS": "200"},
    )  # fmt: skip
    assert run.returncode == 1, run.stdout + run.stderr
    for name in names:
        assert f"FAILED tests/cheat_suite.py::test_suite[cpu-{name}] - Failed: withheld: " in run.stdout, run.stdout
    assert f"{len(names)} failed, 1 passed" in run.stdout
    if mode == "timed":
        assert [row["extra_info"]["variant"] for row in json.loads(saved.read_text())["benchmarks"]] == ["batched"]
        evidence = json.loads((tmp_path / "results" / "cheats-cpu.json").read_text())
        assert [row["name"] for row in evidence["benchmarks"]] == ["test_suite[batched]"]
        assert {row["kind"] for row in evidence["targetrl"]["absent"]} == {"withheld"}
        assert len(evidence["targetrl"]["absent"]) == len(ALL)
        table = run.stdout[run.stdout.index("Name (time") : run.stdout.index("Legend:")]
        assert "cheat-" not in table
        page = (tmp_path / "results" / "README.md").read_text()
        for name in ALL:
            cells = next(line for line in page.splitlines() if line.startswith(f"| `{name}`")).split("|")
            assert re.fullmatch(r" \*\*withheld\*\* \(\d+\) +", cells[2])
            assert not cells[3].strip()
        with (tmp_path / "results" / "results.csv").open() as file:
            lines = {row["variant"]: row for row in csv.DictReader(file)}
        for name in ALL:
            assert lines[name]["status"] == "withheld"
            assert not lines[name]["policy_steps_per_second"]
