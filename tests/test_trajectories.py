"""Trajectories and outcome maps: what is recorded is what the variants put out, and a stranger's file is held to its limits."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch

from bench.trajectories import evidence, record
from bench.trajectories.evidence import Course, OutcomeMap
from targetrl_core import Population, Problem, UsageError, train
from targetrl_core.listing.outcomes import Outcomes, outcome_codes
from targetrl_core.names import OBJECTIVES
from targetrl_core.variants.batched import BATCHED
from targetrl_core.variants.batched_graphed import BATCHED_GRAPHED
from tests.cheats import CHEATS
from tests.some_evidence import EVIDENCE

ROOT = Path(__file__).parent.parent
CPU = torch.device("cpu")


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three variants: one that runs, one that cannot, one that cheats."""
    monkeypatch.setattr(record, "VARIANTS", (BATCHED, BATCHED_GRAPHED, CHEATS[0]))
    monkeypatch.setattr(record, "PEERS", ())


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_course_has_what_each_variant_puts_out(objective: str) -> None:
    """Outputs before every update and after the last, close to the oracle's; who cannot run has a reason, who diverges no outputs."""
    problem = Problem(objective=objective, steps=8)  # type: ignore[arg-type] # one of the names
    found = record.course(problem, CPU)
    run = train(problem, Population.initialise(record.POLICIES), variant="batched", record=True)
    assert run.history is not None
    assert torch.equal(torch.tensor(found.variants["batched"]), torch.cat((run.history, run.outputs[None])).T)
    assert torch.allclose(torch.tensor(found.variants["batched"]), torch.tensor(found.oracle), atol=1e-5)
    assert set(found.absent) == {BATCHED_GRAPHED.name, CHEATS[0].name}
    assert found.absent[CHEATS[0].name] == record.WITHHELD


def test_the_oracle_goes_step_by_step() -> None:
    """Its outputs begin where the policies do, and end where it ends."""
    problem, population = Problem(steps=5), Population.initialise(3)
    outputs = torch.tensor(record.oracle_outputs(problem, population), dtype=torch.float64)
    assert outputs.shape == (3, 6)
    assert torch.allclose(outputs[:, 0], torch.sigmoid(population.weight.double() + population.bias.double()))
    assert torch.allclose(outputs[:, 5], train(problem, population, variant="batched").outputs.double(), atol=1e-5)


def test_a_map_tells_outcomes_by_start_and_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each cell is the outcome of its output; at the smallest rate a policy ends near where it began."""
    monkeypatch.setattr(record, "LOGITS", torch.tensor([-2.0, 0.0, 2.0]))
    monkeypatch.setattr(record, "RATES", torch.tensor([1e-5, 0.1], dtype=torch.float64))
    found = record.outcome_map(Problem(objective="pathwise"), CPU)
    assert torch.allclose(torch.tensor(found.outputs[0]), torch.sigmoid(record.LOGITS), atol=1e-3)
    codes = outcome_codes(torch.tensor(found.outputs).flatten(), Problem())
    assert [name for line in found.outcomes for name in line] == [Outcomes._fields[code] for code in codes]


def test_the_committed_file_is_whole() -> None:
    """Every objective has courses and a map, and what is drawn lies upon the oracle."""
    (found,) = evidence.read_all(EVIDENCE)
    assert {course.objective for course in found.courses} == {one.objective for one in found.maps} == set(OBJECTIVES)
    for course in found.courses:
        assert "batched" in course.variants
        assert not [reason for reason in course.absent.values() if "withheld" in reason]
        assert torch.allclose(torch.tensor(course.variants["batched"]), torch.tensor(course.oracle), atol=1e-4)


COURSE: dict[str, Any] = {
    "objective": "detached", "arithmetic": "native", "steps": 2, "seeds": [0], "ambiguous": [False], "oracle": [[0.5, 0.6, 0.7]],
    "variants": {"batched": [[0.5, 0.6, 0.7]]}, "absent": {},
}  # fmt: skip
MAP: dict[str, Any] = {
    "objective": "detached", "variant": "fused", "steps": 2, "logits": [0.0, 1.0], "rates": [0.1], "outputs": [[0.5, 0.6]],
    "outcomes": [["elsewhere", "elsewhere"]],
}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "given", "message"),
    [
        (Course, COURSE | {"oracle": [[0.5]]}, "oracle has 1 rows of [1] values; it must have 1 of 3"),
        (Course, COURSE | {"variants": {"x": [[0.5, 0.6]]}}, "x has 1 rows of [2] values"),
        (Course, COURSE | {"variants": {"x": []}}, "x has 0 rows"),
        (Course, COURSE | {"variants": {"x": [[0.5, 0.6, 1.5]]}}, "<= 1.0"),
        (Course, COURSE | {"variants": {"a\x1b": [[0.5, 0.6, 0.7]]}}, "regex"),
        (Course, COURSE | {"ambiguous": []}, "ambiguous has 0 values"),
        (Course, COURSE | {"steps": 10**9}, "<= 10000"),
        (Course, COURSE | {"script": "x"}, "unknown field `script`"),
        (OutcomeMap, MAP | {"outputs": [[0.5]]}, "outputs has 1 rows of [1] values; it must have 1 of 2"),
        (OutcomeMap, MAP | {"outcomes": [["elsewhere", "nowhere"]]}, "Invalid enum value 'nowhere'"),
        (OutcomeMap, MAP | {"rates": [-1.0]}, "> 0.0"),
        (OutcomeMap, MAP | {"logits": [0.0] * 201}, "length <= 200"),
    ],
)  # fmt: skip
def test_what_is_not_whole_is_refused(kind: type[Course] | type[OutcomeMap], given: dict[str, Any], message: str) -> None:
    """Outputs of another shape or size, numbers out of range, names that move a cursor: refused by what is wrong."""
    msgspec.json.decode(json.dumps(COURSE if kind is Course else MAP), type=kind)
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.json.decode(json.dumps(given), type=kind)
    assert message in str(caught.value)


def test_no_file_makes_a_page_of_any_size(tmp_path: Path) -> None:
    """A file with more outputs than a page should have is refused in one line that names it."""
    (real,) = evidence.read_all(EVIDENCE)
    content = msgspec.to_builtins(real) | {"maps": [], "courses": [COURSE | {"steps": 9999, "seeds": [0] * 30, "ambiguous": [False] * 30,
        "oracle": [[0.5] * 10_000] * 30, "variants": {}}]}  # fmt: skip
    (tmp_path / "big-cpu-trajectories.json").write_text(json.dumps(content))
    with pytest.raises(UsageError, match=r"^big-cpu-trajectories.json: 300,000 outputs; it must be at most 200,000$"):
        evidence.read_all(tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--device", "tpu"], "bench: device is 'tpu'; it must be one of cpu, cuda, mps\n"),
        (["--label", "A B"], "bench: label is 'A B'; it must be 1 to 64 of a-z"),
    ],
)
def test_what_cannot_be_recorded_is_an_error(options: list[str], message: str, tmp_path: Path) -> None:
    """A device or a label that there cannot be ends the command with exit code 2 and one line, before anything is trained."""
    command = [sys.executable, "-m", "bench", "trajectories", "--results", str(tmp_path), *options]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert ran.stderr.startswith(message)
    assert ran.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())
