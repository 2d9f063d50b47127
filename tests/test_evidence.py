"""Evidence files: their schema, how they are written, and what is done with files that are none."""

import json
import math
import os
import random
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import structs

from bench.evidence import records, student, untrusted
from bench.evidence.files import write_atomically
from bench.evidence.fingerprint import check_label, default_label
from bench.evidence.machine import Machine
from bench.evidence.schema import Evidence
from targetrl_core import UsageError
from tests.some_evidence import EVIDENCE, evidence


def test_a_file_is_read_back(tmp_path: Path) -> None:
    """What stands in a file of this schema is found in it again."""
    path = tmp_path / "some-cpu.json"
    path.write_text(json.dumps(evidence()))
    evidence_read = records.read(path)
    assert evidence_read.targetrl.label == "some"
    assert [row.extra_info.variant for row in evidence_read.benchmarks][:3] == ["eager", "batched", "batched"]
    assert evidence_read.targetrl.absent[0].cell is not None
    assert records.files(tmp_path) == [path]


def changed(path: str, value: Any) -> str:  # noqa: ANN401 — any JSON value
    """Evidence with one field changed; ``path`` is dotted, numbers are indices."""
    content = evidence()
    *parents, last = [int(part) if part.isdecimal() else part for part in path.split(".")]
    place: Any = content
    for part in parents:
        place = place[part]
    place[last] = value
    return json.dumps(content)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "Input data was truncated"),
        ("", "Input data was truncated"),
        ("[]", "Expected `object`"),
        ("{}", "targetrl is missing: this is no evidence file of a suite, which is called <label>-<device>.json"),
        ("\xff", "byte 0 is not UTF-8"),
        ("[" * 100_000, "expected `object`"),
        ('{"targetrl": {"schema": 2, "x": ' + "[" * 100_000, "recursion"),
        (changed("targetrl.schema", 99), "targetrl.schema is 99; this version reads 2"),
        (changed("targetrl.label", "../up"), "$.targetrl.label"),
        (changed("targetrl.device", "tpu"), "$.targetrl.device"),
        (changed("targetrl.surprise", 1), "unknown field `surprise` - at `$.targetrl`"),
        (changed("benchmarks.0", {"name": "x"}), "missing required field `fullname` - at `$.benchmarks[0]`"),
        (changed("benchmarks.1.stats.data", []), "$.benchmarks[1].stats.data"),
        (changed("benchmarks.1.stats.data", [0.1, -1.0]), "$.benchmarks[1].stats.data[1]"),
        (changed("benchmarks.1.stats.data", [0.1, float("nan")]), "malformed"),
        (changed("benchmarks.1.stats.data", "fast"), "Expected `array`, got `str` - at `$.benchmarks[1].stats.data`"),
        (
            changed("benchmarks.2.extra_info.identity", "diverged"),
            "'diverged' - at `$.benchmarks[2].extra_info.identity`",
        ),
        (changed("benchmarks.2.extra_info.outcomes", {"label": 3}), "$.benchmarks[2].extra_info.outcomes"),
        (changed("benchmarks.2.extra_info.variant", "a\nb"), "$.benchmarks[2].extra_info.variant"),
        (changed("benchmarks.2.extra_info.variant", None), "variant is None and steps 50"),
        (changed("benchmarks.2.extra_info.steps", 0), "steps 0, which cannot be for the question 'steady state' - at `$.benchmarks[2]"),
        (changed("benchmarks.2.extra_info.policies", 0), "$.benchmarks[2].extra_info.policies"),
        (changed("benchmarks.3.extra_info.processes", []), "processes is empty; a cold start has at least one - at `$.benchmarks[3]"),
        (changed("benchmarks.3.extra_info.processes.0.steady_seconds", []), "$.benchmarks[3].extra_info.processes[0].steady_seconds"),
        (changed("benchmarks.3.extra_info.processes.0.first_call_seconds", 0), "$.benchmarks[3].extra_info.processes[0]"),
        (changed("benchmarks.1.stats.data", [1e-320, 1.0]), "$.benchmarks[1].stats.data[0]"),
        (changed("targetrl.absent.0.cell.steps", 0), "steps 0, which cannot be"),
    ],
)
def test_what_is_no_evidence_is_named(content: str, message: str, tmp_path: Path) -> None:
    """A file that is no evidence of this schema is refused in one line with its name and the path of the field."""
    path = tmp_path / "bad-cpu.json"
    path.write_text(content, encoding="latin-1")
    with pytest.raises(UsageError, match=r"^bad-cpu.json: ") as caught:
        records.read(path)
    assert message.lower() in str(caught.value).lower()
    assert "\n" not in str(caught.value)


def test_a_file_that_is_too_large_or_missing_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Size is looked at before content, and a file that is not there is named."""
    path = tmp_path / "big-cpu.json"
    path.write_text(json.dumps(evidence()))
    monkeypatch.setattr(untrusted, "SIZE_LIMIT", 100)
    with pytest.raises(UsageError, match=r"^big-cpu.json: .* bytes; it must be at most 100"):
        records.read(path)
    with pytest.raises(UsageError, match=r"^none-cpu.json: No such file"):
        records.read(tmp_path / "none-cpu.json")


def test_the_schema_can_be_handed_out() -> None:
    """The schema is one of JSON Schema's, for readers in other languages."""
    schema = msgspec.json.schema(Evidence)
    assert schema["$ref"] == "#/$defs/Evidence"
    assert set(schema["$defs"]) >= {"Benchmark", "Facts", "Part", "Absence", "Phases", "Fingerprint", "Environment", "ClockTest"}


def test_median_and_interval() -> None:
    """The interval is made of the order statistics that hold the median in 95 of 100 samples."""
    assert records.median_interval(float(value) for value in range(1, 101)) == (40.0, 50.5, 61.0)
    assert records.median_interval((3.0, 1.0, 2.0, 4.0, 5.0, 6.0)) == (1.0, 3.5, 6.0)
    assert records.median_interval((5.0,)) == (5.0, 5.0, 5.0)
    low, value, high = records.median_interval((0.1, 0.1, 0.1))
    assert low <= value <= high == pytest.approx(low)


@pytest.mark.parametrize("n", [2, 3, 5, 6, 7, 20])
def test_an_interval_holds_the_median_as_often_as_it_says(n: int) -> None:
    """In 95 of 100 samples or more the interval holds the true median, however few the values."""
    draw = random.Random(n)  # noqa: S311 — repeatable on purpose
    samples = ([draw.lognormvariate(0.0, 0.1) for _ in range(n)] for _ in range(4000))
    intervals = [records.median_interval(sample) for sample in samples]
    assert sum(low <= 1.0 <= high for low, _, high in intervals) / len(intervals) > 0.94
    assert all(low <= value <= high for low, value, high in intervals)


# NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.2, and its value for 100 degrees of freedom.
T_TABLE = {(1, 0.95): 12.706, (2, 0.95): 4.303, (3, 0.9): 2.353, (4, 0.99): 4.604, (10, 0.95): 2.228, (29, 0.95): 2.045, (100, 0.95): 1.984}


@pytest.mark.parametrize(("freedom", "confidence"), T_TABLE)
def test_students_t_is_the_published_one(freedom: int, confidence: float) -> None:
    """Quantiles agree with the published table to its last digit, and one and two degrees of freedom with their closed forms."""
    assert student.quantile(freedom, confidence) == pytest.approx(T_TABLE[freedom, confidence], abs=5.1e-4)
    assert student.quantile(1, confidence) == pytest.approx(math.tan(math.pi * confidence / 2), rel=1e-9)
    p = (1 + confidence) / 2
    assert student.quantile(2, confidence) == pytest.approx((2 * p - 1) * math.sqrt(2 / (4 * p * (1 - p))), rel=1e-9)


def test_memory_is_the_median_over_processes(tmp_path: Path) -> None:
    """Of two processes the growth of memory is the one between them, and rows without processes have none."""
    content = evidence()
    for phases, bytes_each in zip(content["benchmarks"][4]["extra_info"]["processes"], (100, 201), strict=True):
        phases["peak_memory_bytes"] = bytes_each
    path = tmp_path / "some-cpu.json"
    path.write_text(json.dumps(content))
    assert [records.peak_memory(row.extra_info) for row in records.read(path).benchmarks][3:] == [3 * 2**20, 150]
    assert records.peak_memory(records.read(path).benchmarks[0].extra_info) is None


def test_the_interval_covers_processes(tmp_path: Path) -> None:
    """Where fresh processes differ by a tenth, an interval that rounds alone would make narrow spans a fifth each way."""
    path = tmp_path / "some-cpu.json"
    path.write_text(json.dumps(evidence()))
    machine = Machine(records.read(path))
    warm = Machine(structs.replace(machine.evidence, benchmarks=machine.evidence.benchmarks[:2]))
    assert machine.spread is not None
    assert machine.spread.freedom == 3
    assert machine.spread.deviation == pytest.approx(0.1, rel=0.01)
    alone, both = (of.seconds(machine.evidence.benchmarks[0]) for of in (warm, machine))
    assert both.low < alone.low <= alone.value == both.value <= alone.high < both.high
    assert warm.spread is None


def test_weak_rows_are_marked(tmp_path: Path) -> None:
    """Few rounds, wide rounds and short calls have a letter each."""
    content = evidence()
    for row, data in zip(content["benchmarks"], ([1.0] * 4, [1.0, 1.0, 1.0, 1.3, 1.3, 1.3], [1e-4] * 7), strict=False):
        row["stats"]["data"] = data
    path = tmp_path / "some-cpu.json"
    path.write_text(json.dumps(content))
    machine = Machine(records.read(path))
    assert [machine.marks(row) for row in machine.evidence.benchmarks][:3] == ["r", "n", "s"]


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
    """Evidence files hold no host name, user name or path."""
    for path in records.files(EVIDENCE):
        assert "node" not in json.loads(path.read_text())["machine_info"]
        assert "/home/" not in path.read_text()
        assert "/root" not in path.read_text()
