"""The limit: what a device can do at most, what a policy-step asks of it, and the share that is shown."""

import csv
import io
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch

from bench.evidence import records
from bench.limit import measure
from bench.report import folder, listing_csv
from bench.report.limit import limit_of
from bench.report.machine import Machine
from tests.some_evidence import evidence

CPU = torch.device("cpu")
LIMITS = {"additions": 1e12, "multiplications": 1e11, "divisions": 1e10, "roots": 5e9, "copied_bytes": 1e10}
WORK = {
    "objective": "detached", "optimizer": "adam", "arithmetic": "native", "additions": 10, "multiplications": 10, "divisions": 2,
    "roots": 1, "moved_bytes": 32,
}  # fmt: skip


def machine(folder_: Path, **changes: Any) -> Machine:  # noqa: ANN401 — fields of targetrl
    """The small evidence file with limits, as the tables see it."""
    path = folder_ / "some-cpu.json"
    path.write_text(json.dumps(evidence(**{"limits": LIMITS, "work": [WORK], **changes})), encoding="utf-8")
    return Machine(records.read(path))


def test_what_is_measured_is_plausible() -> None:
    """A CPU adds faster than it divides, multiplies faster than it takes roots, and copies more than a gigabyte a second."""
    found = [measure.measure(CPU) for _ in range(3)]  # what else runs only takes away: the most of three counts
    most = {name: max(getattr(limits, name) for limits in found) for name in (*measure.OPERATIONS, "copied_bytes")}
    assert most["additions"] > most["divisions"] > 0
    assert most["multiplications"] > most["roots"] > 0
    assert most["copied_bytes"] > 1e9


@pytest.mark.parametrize(
    ("kind", "counts"),
    [
        # Per step: a logit, a sigmoid (exponential, one division), a gradient, two moments, a root, a division, two moves.
        (("detached", "adam", "native"), (12, 13, 2, 1)),
        (("detached", "sgd", "native"), (9, 11, 1, 0)),
    ],
)
def test_the_work_is_counted(kind: tuple[str, str, str], counts: tuple[int, ...]) -> None:
    """A policy-step is counted as what its formulas have, an operation each; SGD has no root, and one division."""
    work = measure.count(kind)
    assert (work.additions, work.multiplications, work.divisions, work.roots) == counts


def test_the_slowest_unit_binds(tmp_path: Path) -> None:
    """The limit is that of the term that takes longest: here 2 divisions and a root, 0.4 ns."""
    found = machine(tmp_path)
    limit = limit_of(found.evidence.targetrl, found.evidence.benchmarks[0].extra_info)
    assert limit is not None
    assert limit.speed == pytest.approx(2.5e9)
    assert limit.binds == "division and root"
    slow_memory = machine(tmp_path, limits=LIMITS | {"copied_bytes": 1e9})
    limit = limit_of(slow_memory.evidence.targetrl, found.evidence.benchmarks[0].extra_info)
    assert limit is not None
    assert limit.binds == "memory"
    assert limit.speed == pytest.approx(50 * 1e9 / 32)


def test_every_trained_row_shows_its_share(tmp_path: Path) -> None:
    """Tables and CSV show the share of the limit beside each number, and what binds."""
    found = machine(tmp_path)
    text = folder.text([found])
    assert "at most 2.50 G policy-steps/s; division and root binds" in text
    rows = list(csv.DictReader(io.StringIO(listing_csv.text([found]))))
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
    assert all(name in ptx for name in ("add.rn.f32", "fma.rn.f32", "div.rn.f32", "sqrt.rn.f32"))
    assert "ld.local" not in ptx
