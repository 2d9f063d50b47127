"""The limit: what a device can do at most, what a policy-step asks of it, and the share that is shown."""

import csv
import ctypes
import io
import json
import math
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import msgspec
import pytest
import torch

from bench.evidence import records
from bench.evidence.kinds import Kind
from bench.evidence.machine import Machine
from bench.evidence.schema import Cell, Limits, Work
from bench.limit import measure
from bench.limit.ceiling import MARGIN, Ceiling
from bench.limit.compute import limit_of, limit_of_work
from bench.report import folder, results_csv
from bench.timing.cases import SuiteRow
from bench.verdicts import process, run
from bench.verdicts.messages import RowTask
from targetrl_core.fused.compiler import library
from tests.some_evidence import CELL, evidence

CPU = torch.device("cpu")
ROOT = Path(__file__).parent.parent
LIMITS = {"additions": 1e12, "multiplications": 1e11, "divisions": 1e10, "roots": 5e9, "copied_bytes": 1e10}
WORK: dict[str, Any] = {
    "objective": "detached", "optimizer": "adam", "arithmetic": "native", "additions": 10, "multiplications": 10, "divisions": 2,
    "roots": 1, "moved_bytes": 32,
}  # fmt: skip


def machine(folder_: Path, **changes: Any) -> Machine:  # noqa: ANN401 — fields of targetrl
    """The small evidence file with limits, as the tables see it."""
    path = folder_ / "some-cpu.json"
    path.write_text(json.dumps(evidence(**{"limits": LIMITS, "work": [WORK], **changes})), encoding="utf-8")
    return Machine(records.read(path))


@pytest.fixture(scope="module")
def measured() -> Limits:
    """What this CPU can do at most."""
    return measure.measure(CPU)


def test_what_is_measured_is_plausible(measured: Limits) -> None:
    """A CPU adds faster than it divides, and multiplies faster than it takes roots."""
    assert measured.additions > measured.divisions > 0
    assert measured.multiplications > measured.roots > 0
    assert measured.copied_bytes > 0


@pytest.mark.parametrize(
    ("optimizer", "counts"),
    [
        # Per step: a logit, a sigmoid (exponential, one division), a gradient, two moments, a root, a division, two moves.
        ("adam", (12, 13, 2, 1)),
        ("sgd", (9, 11, 1, 0)),
    ],
)
def test_the_work_is_counted(optimizer: str, counts: tuple[int, ...]) -> None:
    """A policy-step is counted as what its formulas have, an operation each; SGD has no root, and one division."""
    work = measure.count(Kind(None, "detached", optimizer, "native", 1))
    assert (work.additions, work.multiplications, work.divisions, work.roots) == counts


def test_the_slowest_unit_binds(tmp_path: Path) -> None:
    """The limit is that of the term that takes longest: here 2 divisions and a root, 0.4 ns."""
    plain = machine(tmp_path)
    limit = limit_of(plain.evidence.targetrl, plain.evidence.benchmarks[0].extra_info)
    assert limit is not None
    assert limit.speed == pytest.approx(2.5e9)
    assert limit.binds == "division and root"
    slow_memory = machine(tmp_path, limits=LIMITS | {"copied_bytes": 1e9})
    limit = limit_of(slow_memory.evidence.targetrl, plain.evidence.benchmarks[0].extra_info)
    assert limit is not None
    assert limit.binds == "memory"
    assert limit.speed == pytest.approx(50 * 1e9 / 32)


def test_every_trained_row_shows_its_share(tmp_path: Path) -> None:
    """Tables and CSV show the share of the limit beside each number, and what binds."""
    limited = machine(tmp_path)
    text = folder.text([limited])
    assert "at most 2.50 G policy-steps/s; division and root binds" in text
    rows = list(csv.DictReader(io.StringIO(results_csv.text([limited]))))
    eager = next(row for row in rows if row["variant"] == "eager" and row["status"] == "measured")
    assert float(eager["limit_share"]) == pytest.approx(50 / 0.01 / 2.5e9)
    assert eager["limit_binds"] == "division and root"


def test_without_limits_the_tables_say_why(tmp_path: Path) -> None:
    """A device whose limits cannot be measured has the reason in its place, and no shares."""
    text = folder.text([machine(tmp_path, limits=None, work=[], no_limits="no compiler")])
    assert "Not measured: no compiler" in text
    assert measure.why_no_limits(torch.device("mps")) == "no kernels that measure it for mps"


@pytest.mark.skipif(shutil.which("nvcc") is None, reason="needs nvcc")
def test_the_gpus_kernel_does_what_it_is_timed_for(tmp_path: Path) -> None:
    """It compiles, keeps its chains in registers, and divides and takes roots as the fused kernel does."""
    command = [str(shutil.which("nvcc")), "-arch=sm_90", "-ptx", "--fmad=false", "-o", "limit.ptx", str(measure.HERE / "cuda.cu")]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    ptx = (tmp_path / "limit.ptx").read_text(encoding="utf-8")
    assert all(
        name in ptx for name in ("add.rn.f32", "fma.rn.f32", "div.rn.f32", "sqrt.rn.f32", "rcp.approx.ftz.f32", "rsqrt.approx.ftz.f32")
    )
    assert "ld.local" not in ptx


def cell(**more: Any) -> Cell:  # noqa: ANN401 — fields of Cell
    """A million policies, 50 steps."""
    facts: dict[str, Any] = {"question": "steady state", "policies": 10**6, "variant": "some", **CELL}
    return Cell(**(facts | more))


def test_a_replaced_division_is_counted_beside_the_dividers() -> None:
    """A limit takes divider and replacement for busy at once, and adders and multipliers for one unit where their mixture says so."""
    work, limits = Work(**WORK), Limits(**LIMITS)
    assert limit_of_work(work, limits, 50).speed == pytest.approx(2.5e9)
    replaced = msgspec.structs.replace(limits, newton_divisions=3e10, newton_roots=1.5e10)
    assert limit_of_work(work, replaced, 50).speed == pytest.approx(1e10)
    mixed = msgspec.structs.replace(replaced, mixed=1e11)
    assert limit_of_work(work, mixed, 50).speed == pytest.approx(5e9)
    slow_memory = msgspec.structs.replace(mixed, copied_bytes=1e9)
    assert limit_of_work(work, slow_memory, 50).binds == "memory"
    assert limit_of_work(work, slow_memory, None).binds == "addition and multiplication"


@pytest.mark.skipif(measure.why_no_limits(CPU) is not None, reason="needs a compiler")
@pytest.mark.parametrize("x", [0.3, 1.1, 1.7, 123.4])
def test_a_replacement_is_as_accurate_as_float32(x: float) -> None:
    """What replaces a division or a root gives the same number but for a few units in the last place: it could pass the gate."""
    built = library(str(measure.HERE / "cpu.cpp"), {})
    built.applied.argtypes, built.applied.restype = (ctypes.c_int, ctypes.c_float), ctypes.c_float
    names = list(measure.MEASURED)
    exact = ctypes.c_float(x).value
    assert built.applied(names.index("newton_divisions"), x) == pytest.approx(1 / exact, rel=3e-7)
    assert built.applied(names.index("newton_roots"), x) == pytest.approx(math.sqrt(exact), rel=3e-7)


def test_a_measurement_knows_the_replacements(measured: Limits) -> None:
    """On processors with instructions that approximate the pace of the replacements is measured too, and a file keeps it."""
    tells = [bool(library(str(measure.HERE / "cpu.cpp"), {}).tells(number)) for number in range(len(measure.MEASURED))]
    known = [getattr(measured, name) is not None for name in measure.MEASURED]
    assert known == tells
    assert tells[: len(measure.OPERATIONS)] == [True] * len(measure.OPERATIONS)
    assert msgspec.json.decode(msgspec.json.encode(measured), type=Limits) == measured


def test_a_row_above_the_limit_has_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason says how far above and what binds; up to the margin there is none, whatever the arithmetic and the noise."""
    monkeypatch.setattr(measure, "measure", lambda _device: Limits(**LIMITS))
    above = Ceiling().reasons(cell(), CPU, 50e6 / 31 / 2.5e9)
    assert above == ("31 × what this device can do at most (2.5 G policy-steps/s by division and root)",)
    for known in (cell(), cell(arithmetic="portable"), cell(objective="reinforce")):
        assert Ceiling().reasons(known, CPU, 50e6 / 2.5e9 / 0.99 / MARGIN["cpu"]) == ()
        assert Ceiling().reasons(known, CPU, 50e6 / 2.5e9 / 1.01 / MARGIN["cpu"]) != ()
    assert Ceiling().reasons(cell(steps=0, variant=None, question="construction"), CPU, 1e-12) == ()
    assert Ceiling().reasons(cell(), CPU, math.inf) == ()


def test_a_device_is_measured_anew_before_a_row_is_withheld(monkeypatch: pytest.MonkeyPatch) -> None:
    """A device that something else kept busy when it was measured withholds no honest row: the most of several measurements counts."""
    slow = Limits(**{name: value / 10 for name, value in LIMITS.items()})
    measured = iter([slow, Limits(**LIMITS)])
    monkeypatch.setattr(measure, "measure", lambda _device: next(measured))
    ceiling = Ceiling()
    assert ceiling.limits(CPU) == slow
    assert ceiling.reasons(cell(), CPU, 50e6 / 2e9) == ()
    assert ceiling.limits(CPU) == Limits(**LIMITS)


def test_ranks_on_gpus_have_a_device_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """What four GPUs do is judged by four times the limit of one; ranks of a CPU share its cores."""
    monkeypatch.setattr(measure, "measure", lambda _device: Limits(**LIMITS))
    monkeypatch.setattr(measure, "why_no_limits", lambda _device: None)
    ranks = cell(question="sharding", ranks=4)
    assert Ceiling().reasons(ranks, torch.device("cuda"), 50e6 / 9e9) == ()
    assert Ceiling().reasons(ranks, CPU, 50e6 / 9e9) != ()


def test_without_limits_a_row_goes_on() -> None:
    """Where nothing measures a device nothing is withheld for it, and the reason is kept."""
    ceiling = Ceiling()
    assert ceiling.reasons(cell(), torch.device("mps"), 1e-12) == ()
    assert ceiling.why_none == {"mps": "no kernels that measure it for mps"}


@pytest.mark.parametrize("slow", [True, False], ids=["above", "below"])
def test_a_timed_run_withholds_what_no_device_does(slow: bool, tmp_path: Path) -> None:  # noqa: FBT001 — a parameter
    """Rows above the limit are withheld by name, cold starts included, and listed in the evidence; others have a number."""
    suite = subprocess.run(
        [sys.executable, "-m", "pytest", "tests/limit_suite.py", "--benchmark-only", "--device=cpu", "--label=some",
         f"--results={tmp_path}", "-p", "tests.brief", "-p", "no:cacheprovider"],
        cwd=ROOT, capture_output=True, text=True, check=False, env=os.environ | {"COLUMNS": "200"} | ({"SLOW_DEVICE": "1"} if slow else {}),
    )  # fmt: skip
    content = json.loads((tmp_path / "some-cpu.json").read_text())
    names = ["test_steady[batched]", "test_cold_start[batched]"]
    absent = {absence["name"]: absence for absence in content["targetrl"]["absent"]}
    if not slow:
        assert suite.returncode == 0, suite.stdout + suite.stderr
        assert sorted(row["name"] for row in content["benchmarks"]) == sorted(names)
        assert not absent
        return
    assert suite.returncode == 1, suite.stdout + suite.stderr
    assert not content["benchmarks"]
    assert sorted(absent) == sorted(names)
    for absence in absent.values():
        assert absence["kind"] == "withheld"
        assert re.fullmatch(r"[\d.e+]+ × what this device can do at most \([\d.e-]+ G policy-steps/s by [a-z ]+\)", absence["reason"])
    assert "withheld on cpu: test_steady[batched]: " in suite.stdout
    assert content["targetrl"]["limits"]["divisions"] == pytest.approx(1e-3)  # the one its rows were judged by


def test_ab_withholds_what_no_device_does(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A side whose calls are right, but faster than the device can be, has its row withheld by name; the other side's are believed."""
    monkeypatch.setattr(measure, "measure", lambda _device: Limits(**LIMITS))
    limits = Ceiling().limits(CPU)
    assert limits == Limits(**LIMITS)
    row = SuiteRow("detached", "native", 100, "batched", steps=2)
    rounds = run.make_rounds([row], tmp_path)[row]
    bench = process.Bench(RowTask(name="row", row=row, rounds=rounds), CPU, Ceiling({"cpu": limits}))
    bench.trainers = {"base": trainer("base", 1.0), "head": trainer("head", 1e-9)}
    bench.seconds = 1.0
    assert bench.alone("base", 1.0) == 1.0
    with pytest.raises(process.MissingError, match="HEAD: 80 × what this device can do at most") as raised:
        bench.alone("head", 1.0)
    assert raised.value.missing.kind == "withheld"


def trainer(name: str, seconds: float) -> Any:  # noqa: ANN401 — as much of a Trainer as a Bench takes
    """A side whose every call is found right, and to have taken so long."""
    called = mock.Mock(side=mock.Mock(), call=mock.Mock(return_value=(seconds, None)))
    called.name, called.side.name = name.upper(), name
    return called


def test_an_older_file_has_the_dividers_limit(tmp_path: Path) -> None:
    """A file without replacements is read, its limit is the divider's, and the tables say so; one with them says what they are."""
    older = folder.text([machine(tmp_path)])
    assert "division and root by the divider alone" in older
    newer = folder.text([machine(tmp_path, limits=LIMITS | {"newton_divisions": 1e10, "newton_roots": 5e9, "mixed": 1.5e11})])
    assert "10.0 G divisions, 5.00 G roots by approximation and Newton steps; 150 G additions and multiplications in turns" in newer
    assert "at most 5.00 G policy-steps/s; division and root binds" in newer
