"""The harness under a scripted clock: its files are known before it runs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import golden_bounds

ROOT = Path(__file__).parent.parent
GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a scripted run leaves behind."""
    folder = tmp_path_factory.mktemp("results")
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "tests/golden_suite.py", "-p", "tests.scripted", "-p", "no:cacheprovider",
         "--benchmark-only", "--benchmark-timer=tests.scripted.clock", "--device", "cpu", "--label", "scripted", f"--results={folder}"],
        cwd=ROOT, capture_output=True, text=True, check=False, env=os.environ | {"COLUMNS": "200"},
    )  # fmt: skip
    assert run.returncode == 1, run.stdout + run.stderr
    assert "2 failed, 3 passed, 4 skipped" in run.stdout
    return folder


@pytest.mark.parametrize("name", ["README.md", "results.csv"])
def test_a_scripted_run_makes_the_golden_tables(results: Path, name: str) -> None:
    """Rows, intervals, marks, reasons, the row timed twice, the withheld cheat: the tables are the golden ones, to the letter."""
    assert (results / name).read_text() == (GOLDEN / name).read_text()


def test_golden_bounds_are_of_the_same_problems_on_every_processor() -> None:
    """What the oracle is given has the bits here that it has where PyTorch uses no vector instructions."""
    code = "from tests import golden_bounds; print(golden_bounds.digest())"
    plain = os.environ | {"ATEN_CPU_CAPABILITY": "default"}
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, env=plain)
    assert ran.stdout.strip() == golden_bounds.digest()
