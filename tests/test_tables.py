"""Reading evidence and making tables of it."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench import tables
from bench.evidence import check_label, default_label
from bench.files import write_atomically
from bench.records import median_interval, read
from targetrl_core import UsageError

ROOT = Path(__file__).parent.parent


def evidence(**changes: Any) -> dict[str, Any]:  # noqa: ANN401
    """A small evidence file."""
    rows = [
        {
            "name": f"test_steady_state[native-{n}-{variant}]",
            "stats": {"data": [seconds, seconds * 2, seconds * 3]},
            "extra_info": {
                "variant": variant, "objective": "detached", "arithmetic": "native", "policies": n, "steps": 50,
                "identity": "bounded", "ulp": {"weight": 2.5}, "ambiguous": 0, "prepare_seconds": 0.5,
            },
        }
        for variant, n, seconds in (("eager", 1, 0.005), ("batched", 1, 0.0025), ("batched", 100, 0.0025))
    ]  # fmt: skip
    absent = [{"name": "test_steady_state[native-100-eager]", "kind": "withheld", "reason": "weight | of <b>1</b> policies"}]
    part = {"schema": 1, "label": "some-cpu", "device": "cpu", "fingerprint": {"processor": "Some CPU", "threads": 2}, "absent": absent}
    return {"benchmarks": rows, "targetrl": part | changes}


def test_the_table_is_made_of_the_evidence(tmp_path: Path) -> None:
    """Medians, intervals, the fastest, identity and absent rows stand where they belong."""
    (tmp_path / "some-cpu-cpu.json").write_text(json.dumps(evidence()))
    tables.write(tmp_path)
    section = (tmp_path / "README.md").read_text().split("## some-cpu, cpu\n")[1]
    assert "processor Some CPU, threads 2\n" in section
    assert "### detached, native arithmetic, 50 steps\n" in section
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line.startswith("| `")]
    assert cells[:2] == [
        ["`eager`", "5.00 k [3.33 k, 10.0 k]", "–", "bounded, 2.5 ULP"],
        ["`batched`", "**10.0 k** [6.67 k, 20.0 k]", "**1.00 M** [667 k, 2.00 M]", "bounded, 2.5 ULP"],
    ]
    assert "weight \\| of \\<b\\>1\\</b\\> policies" in section


def test_committed_tables_are_made_of_the_committed_evidence() -> None:
    """results/README.md and the front page's table are what `python -m bench report` makes of results/: never stale."""
    assert (ROOT / "results" / "README.md").read_text() == tables.text(ROOT / "results")
    page = (ROOT / "README.md").read_text()
    assert page == tables.with_front_table(page, ROOT / "results")
    assert "| `batched-compiled`" in page


def test_tables_need_no_torch() -> None:
    """Reading evidence and making tables imports no torch."""
    code = "import sys, bench.tables, bench.__main__; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "bad-cpu.json: not JSON"),
        ("[]", "bad-cpu.json: "),
        ("{}", "bad-cpu.json: field 'targetrl' is missing"),
        (json.dumps(evidence(schema=99)), "targetrl.schema is 99; this version reads 1"),
        (json.dumps(evidence() | {"benchmarks": [{"name": "x"}]}), "field 'extra_info' is missing"),
    ],
)
def test_what_is_no_evidence_is_named(content: str, message: str, tmp_path: Path) -> None:
    """A file that is no evidence of this schema is refused in one line with its name and the field; the old table stays."""
    (tmp_path / "README.md").write_text("old")
    (tmp_path / "bad-cpu.json").write_text(content)
    with pytest.raises(UsageError, match=r"^bad-cpu.json: ") as caught:
        tables.write(tmp_path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert (tmp_path / "README.md").read_text() == "old"
    ran = subprocess.run(
        [sys.executable, "-m", "bench", "report", "--results", str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 2
    assert ran.stderr.startswith("bench: bad-cpu.json: ")


def test_median_and_interval() -> None:
    """The interval is made of the order statistics that hold the median in 95 of 100 samples."""
    assert median_interval(tuple(float(value) for value in range(1, 101))) == (40.0, 50.5, 61.0)
    assert median_interval((3.0, 1.0, 2.0)) == (1.0, 2.0, 3.0)
    assert median_interval((5.0,)) == (5.0, 5.0, 5.0)


def test_three_digits_and_a_unit() -> None:
    """Speeds are printed with three significant digits."""
    assert [tables.scaled(value) for value in (1.234e9, 45.67e6, 999.4e3, 12.3, 100e6)] == ["1.23 G", "45.7 M", "999 k", "12.3", "100 M"]


@pytest.mark.parametrize("label", ["", "../up", "a/b", "A", ".hidden", "x" * 65, "a b", "a\n"])
def test_labels_stay_in_their_folder(label: str) -> None:
    """A label that is no plain file name is refused."""
    with pytest.raises(UsageError, match=r"^label is "):
        check_label(label)


def test_default_label_names_the_processor_alone() -> None:
    """The label is made of the processor's name and its cores."""
    assert default_label({"cpu": {"brand_raw": "Intel(R) Core(TM) i7-1165G7 CPU @ 2.80GHz"}}, "cpu").startswith("intel-core-i7-1165g7-")


def test_writing_is_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that fails leaves the old file, and nothing beside it."""
    path = tmp_path / "file.json"
    write_atomically(path, "old")

    def fail(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_committed_evidence_names_no_one() -> None:
    """Evidence files hold no host name, user name or path, and only finite positive times."""
    for path in (ROOT / "results").glob("*-*.json"):
        content = json.loads(path.read_text())
        assert "node" not in content["machine_info"]
        assert "/home/" not in path.read_text()
        assert "/root" not in path.read_text()
        assert all(math.isfinite(value) for row in read(path).rows for value in row.seconds)
