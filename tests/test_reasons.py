"""Why a row has no number: filed as what it is, in one line that names no one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.evidence.reasons import LONGEST, one_line

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("\n  first\nsecond", "first"),
        ("", "no reason given"),
        ("no /home/jane.doe here", "no … here"),
        ("in /home/jane/project/step.py, line 3", "in step.py, line 3"),
        ("in '/tmp/a/b'", "in '…'"),
        (r"in C:\Users\jane\step.py", "in step.py"),
        ("see file:///home/jane/x.txt", "see x.txt"),
        (f"in {Path.home()}/project/source/step.py", "in step.py"),
        ("see https://pytorch.org/docs/stable and 3 policy-steps/s", "see https://pytorch.org/docs/stable and 3 policy-steps/s"),
        ("x" * 1000, "x" * LONGEST),
    ],
)
def test_a_reason_is_one_line_without_paths(text: str, line: str) -> None:
    """Of what an exception says the first line stands, and of a path at most its last part."""
    assert one_line(text) == line


def test_what_breaks_is_not_measured_and_fails_the_run(tmp_path: Path) -> None:
    """Lack of memory and an error of a compiler are no divergence: the rows are not measured, with their first line, and the run fails."""
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "tests/broken_suite.py", "--benchmark-only", "--device", "cpu", "--label", "some",
         f"--results={tmp_path}", "-p", "no:cacheprovider"],
        cwd=ROOT, capture_output=True, text=True, check=False, env=os.environ | {"COLUMNS": "200"},
    )  # fmt: skip
    assert run.returncode == 1, run.stdout + run.stderr
    evidence = json.loads((tmp_path / "some-cpu.json").read_text())
    assert [row["extra_info"]["variant"] for row in evidence["benchmarks"]] == ["batched"]
    assert [(row["kind"], row["reason"]) for row in evidence["targetrl"]["absent"]] == [
        ("not measured", "OutOfMemoryError: Tried to allocate 74 GiB; see settings.toml"),
        ("not measured", "RuntimeError: no such header: 'Python.h'"),
    ]
    assert "withheld" not in run.stdout
