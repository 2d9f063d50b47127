"""Evidence files side by side: ratios, reasons, crossings, what differs, and what is refused."""

import csv
import io
import json
import math
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.comparison import columns, export, sections
from bench.comparison.columns import differences
from bench.comparison.crossings import orders, takeovers
from bench.comparison.rows import rows
from bench.comparison.sections import MARKDOWN, TERMINAL
from bench.evidence.schema import SCHEMA
from bench.verdicts import trials
from targetrl_core import UsageError
from tests.some_evidence import EVIDENCE, evidence, row
from tests.synthetic import large_set

ROOT = Path(__file__).parent.parent


def saved(path: Path, content: dict[str, Any] | None = None, **fingerprint: Any) -> Path:  # noqa: ANN401 — fields of the schema
    """An evidence file in a folder of its own; ``fingerprint`` are fields that are changed."""
    content = content or evidence()
    content["targetrl"]["fingerprint"] |= fingerprint
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def other(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 — fields of the schema
    """Evidence of another machine, on which all variants are twice as fast but ``batched``, which takes five times as long."""
    content = evidence(**({"label": "other"} | changes))
    for benchmark in content["benchmarks"]:
        factor = 5.0 if benchmark["extra_info"]["variant"] == "batched" else 0.5
        benchmark["stats"]["data"] = [factor * seconds for seconds in benchmark["stats"]["data"]]
    return content


@pytest.fixture
def two(tmp_path: Path) -> list[columns.Column]:
    """A file and another one, read."""
    return columns.read([saved(tmp_path / "a-cpu.json"), saved(tmp_path / "b-cpu.json", other())])


def lines_of(text: str, title: str) -> list[list[str]]:
    """The cells of the table below a title of a Markdown page, without its head."""
    lines = text.partition(f"## {title}")[2].partition("\n## ")[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")][1:]


def test_a_row_has_a_column_a_file(two: list[columns.Column]) -> None:
    """Variant, N, each file's number with interval, ratio and marks, and the identity; one withheld in both names its reason once."""
    text = sections.text(two, MARKDOWN)
    assert lines_of(text, "Steady state: policy-steps per second, detached, adam, native, 50 steps") == [
        ["`eager`", "1", "5.00 k [1.33 k, 22.6 k] (r)", "10.0 k [2.66 k, 45.3 k], × 2.00 [0.269, 14.9] (r)", "bounded, 2.5 ULP"],
        ["`eager`", "100", "**withheld** (1)", "**withheld** (1)", "–"],
        ["`batched`", "1", "10.0 k [2.66 k, 45.3 k] (r)", "2.00 k [533, 9.05 k], × 0.200 [0.0269, 1.49] (r)", "bounded, 2.5 ULP"],
        ["`batched`", "100", "1.00 M [266 k, 4.53 M] (r)", "200 k [53.3 k, 905 k], × 0.200 [0.0269, 1.49] (r)", "bounded, 2.5 ULP"],
    ]
    assert text.count("(1) withheld: =weight \\| of \\<b\\>1\\</b\\> policies") == 1
    assert text.startswith("## other, cpu against some, cpu\n")


def test_the_interval_of_a_ratio_adds_both_in_squares(two: list[columns.Column]) -> None:
    """Ends are as far from the ratio, in logarithms, as the hypotenuse of what either file's interval leaves open."""
    entries = next(joined.entries for joined in rows(two, "steady state") if joined.cell.variant == "batched")
    first, second = (entry.machine.seconds(entry.row) for entry in entries if entry.row)
    ratio = entries[1].ratio
    assert ratio is not None
    assert ratio.value == pytest.approx(0.2)
    assert math.log(ratio.value / ratio.low) == pytest.approx(
        math.hypot(math.log(first.value / first.low), math.log(second.high / second.value))
    )
    assert math.log(ratio.high / ratio.value) == pytest.approx(
        math.hypot(math.log(first.high / first.value), math.log(second.value / second.low))
    )
    assert entries[0].ratio is None


def test_a_ratio_to_a_single_value_has_no_interval(tmp_path: Path) -> None:
    """One process has no interval, so neither has the ratio of another file's several to it."""
    content = other()
    content["benchmarks"][3]["stats"]["data"] = [4.1]
    both = columns.read([saved(tmp_path / "a-cpu.json"), saved(tmp_path / "b-cpu.json", content)])
    cold = rows(both, "cold start")[0].entries[1].ratio
    assert cold is not None
    assert cold.low == cold.value == cold.high == pytest.approx(0.5)


def test_reasons_are_kept_where_one_file_has_a_number(tmp_path: Path) -> None:
    """A row that one file lacks says so there, with its reason or as no part of its run; one that broke too early stands below."""
    content = other()
    del content["benchmarks"][1]
    content["benchmarks"].append(row("eager", 100, [0.1] * 7))
    content["targetrl"]["absent"] = [{"name": "test_x[1]", "kind": "not measured", "reason": "it broke"}]
    both = columns.read([saved(tmp_path / "a-cpu.json"), saved(tmp_path / "b-cpu.json", content)])
    shown = {(line[0], line[1]): line[2:4] for line in lines_of(sections.text(both, MARKDOWN), "Steady state")}
    assert shown["`eager`", "100"][0] == "**withheld** (1)"
    assert shown["`batched`", "1"][1] == "– (2)"
    assert "(2) not measured: not part of this run" in sections.text(both, TERMINAL)
    assert "other, cpu: not measured: test_x[1]: it broke" in sections.text(both, TERMINAL)
    assert json.loads(export.as_json(both))["files"][1]["without_place"] == ["not measured: test_x[1]: it broke"]
    results = {(line["file"], line["variant"], line["policies"]): line for line in csv.DictReader(io.StringIO(export.as_csv(both)))}
    assert results["some, cpu", "eager", "100"]["status"] == "withheld"
    assert results["other, cpu", "batched", "1"]["reason"] == "not part of this run"


def crossing_file(path: Path, ahead: float) -> Path:
    """Two variants: at N = 1 the first takes ``ahead`` times less than the second, at N = 100 four times more, and at 10,000 one alone."""
    content = evidence(label=path.stem.removesuffix("-cpu"), absent=[])
    content["benchmarks"] = [
        row("flat", 1, [ahead] * 7), row("flat", 100, [1.0] * 7), row("steep", 1, [1.0] * 7), row("steep", 100, [4.0] * 7),
        row("late", 10_000, [1.0] * 7),
    ]  # fmt: skip
    return saved(path, content)


def test_the_fastest_changes_where_straight_lines_meet_between_the_sizes_that_were_measured(tmp_path: Path) -> None:
    """Lines from row to row that are as far apart either way meet half way; without both variants on both sides no N is told."""
    both = columns.read([crossing_file(tmp_path / "a-cpu.json", 4.0), crossing_file(tmp_path / "b-cpu.json", 0.5)])
    assert [(takeover.file, takeover.crossing, takeover.clear) for takeover in takeovers(both)] == [
        (0, (1, 100, 50.5, "steep", "flat"), True),
        (0, (100, 10_000, None, "flat", "late"), False),
        (1, (100, 10_000, None, "flat", "late"), False),
    ]
    text = sections.text(both, TERMINAL)
    assert "interpolated on straight" in text
    assert "not known: one of both was not measured on both sides" in text
    (order,) = orders(rows(both, "steady state"))
    assert (order.policies, order.orders) == (1, (("steep", "flat"), ("flat", "steep")))
    crossing = json.loads(export.as_json(both))["crossings"][0]
    problem = {"objective": "detached", "optimizer": "adam", "arithmetic": "native", "steps": 50}
    measured = {"file": 0, "from": "steep", "to": "flat", "measured_policies": [1, 100], "about_policies": 50.5, "clear": True}
    assert crossing == measured | problem


def test_what_differs_is_spelled_out(tmp_path: Path) -> None:
    """Keys of the fingerprint that differ stand with each file's value, packages too; those that agree do not."""
    paths = [saved(tmp_path / "a-cpu.json"), saved(tmp_path / "b-cpu.json", other(), torch="2.14", packages={"numpy": "2.4"})]
    both = columns.read(paths)
    assert differences(both) == [("torch", ("2.13", "2.14")), ("packages.numpy", (None, "2.4"))]
    assert lines_of(sections.text(both, MARKDOWN), "What differs") == [["torch", "2.13", "2.14"], ["packages.numpy", "–", "2.4"]]
    same = columns.read([paths[0], paths[0]])
    assert "the same machine and software" in sections.text(same, TERMINAL)


def test_weak_machines_are_named(tmp_path: Path) -> None:
    """Whose figures are weak, and why, stands above all tables, in Markdown, text and JSON."""
    content = other()
    content["targetrl"]["environment"]["throttled"] = 3
    content["targetrl"]["clock"]["failures"] = ["it stood still"]
    both = columns.read([saved(tmp_path / "a-cpu.json"), saved(tmp_path / "b-cpu.json", content)])
    for style in (MARKDOWN, TERMINAL):
        text = sections.text(both, style).partition("What differs")[0]
        assert "Weak figures of other, cpu: the cores were throttled 3 times." in text
        assert "Weak figures of other, cpu: the clock failed its test: it stood still." in text
        assert "Weak figures of some" not in text
    assert json.loads(export.as_json(both))["files"][0]["weak"] == []


@pytest.mark.parametrize(
    ("places", "commits", "names"),
    [
        (("a-cpu.json", "b-cpu.json"), ("1" * 40, "2" * 40), ["some, cpu, 111111111", "some, cpu, 222222222"]),
        (("a-cpu.json", "b-cpu.json"), (None, None), ["a-cpu.json", "b-cpu.json"]),
        (("x/a-cpu.json", "y/a-cpu.json"), (None, None), ["x/a-cpu.json", "y/a-cpu.json"]),
        (("a-cpu.json", "a-cpu.json"), (None, None), ["a-cpu.json (1)", "a-cpu.json (2)"]),
    ],
)
def test_files_of_one_label_are_told_apart(
    places: tuple[str, str], commits: tuple[str | None, str | None], names: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same label and device: by commit, else by file name, else by path, else by number."""
    monkeypatch.chdir(tmp_path)
    paths = [saved(Path(place), commit=commit) for place, commit in zip(places, commits, strict=True)]
    assert [column.name for column in columns.read(paths, mixed_commits=True)] == names


def other_problem() -> dict[str, Any]:
    """Evidence in which everything is trained for 20 steps."""
    content = evidence(absent=[])
    content["benchmarks"] = [row("eager", 1, [0.1] * 7, steps=20)]
    return content


@pytest.mark.parametrize(
    ("changes", "fingerprints", "message"),
    [
        ({}, ({"commit": "a"}, {"commit": "b"}), "targetrl.fingerprint.commit is a in a-cpu.json and b in b-cpu.json; --"),
        ({}, ({"dirty": False}, {"dirty": True}), "targetrl.fingerprint.dirty is False in a-cpu.json and True in b-cpu.json; --mixed"),
        ({}, ({"dirty": True}, {"dirty": True}), "targetrl.fingerprint.dirty is True in a-cpu.json and True in b-cpu.json; --mixed"),
        ({"schema": SCHEMA + 1}, ({}, {}), f"b-cpu.json: targetrl.schema is {SCHEMA + 1}; this version reads {SCHEMA}"),
        (None, ({}, {}), "b-cpu.json has no row in common with a-cpu.json: steps is 50 in a-cpu.json and 20 in b-cpu.json"),
    ],
)  # fmt: skip
def test_what_cannot_be_compared_is_refused(
    changes: dict[str, Any] | None, fingerprints: tuple[dict[str, Any], dict[str, Any]], message: str, tmp_path: Path
) -> None:
    """Other commits, uncommitted changes, another schema, another problem: exit code 2 and one line with the key and both values."""
    paths = [
        saved(tmp_path / "a-cpu.json", **fingerprints[0]),
        saved(tmp_path / "b-cpu.json", other_problem() if changes is None else other(**changes), **fingerprints[1]),
    ]
    ran = compare(*map(str, paths))
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith(f"bench: {message}")
    assert ran.stderr.count("\n") == 1


def test_files_of_other_commands_are_no_evidence() -> None:
    """What `upkeep self-test` wrote into the folder of results is refused by name, with what a suite's file is called."""
    evidence, verdicts = EVIDENCE / "amd-epyc-2c-cpu.json", EVIDENCE / "amd-epyc-2c-cpu-verdicts.json"
    ran = compare(str(evidence), str(verdicts))
    assert (ran.returncode, ran.stdout) == (2, "")
    why = "targetrl is missing: this is no evidence file of a suite, which is called <label>-<device>.json"
    assert ran.stderr == f"bench: {verdicts.name}: {why}\n"


def test_one_file_is_not_compared(tmp_path: Path) -> None:
    """A single file has nothing to stand beside."""
    with pytest.raises(UsageError, match="1 file is named; compare takes two or more"):
        columns.read([saved(tmp_path / "a-cpu.json")])


def test_mixed_commits_are_compared_when_asked_for(tmp_path: Path) -> None:
    """With --mixed-commits the commit is one more difference that is spelled out."""
    paths = [saved(tmp_path / "a-cpu.json", commit="a"), saved(tmp_path / "b-cpu.json", other(), commit="b", dirty=True)]
    ran = compare(*map(str, paths), "--mixed-commits", "--markdown")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ["commit", "a", "b"] in lines_of(ran.stdout, "What differs")


def compare(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command."""
    command = [sys.executable, "-m", "bench", "compare", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_all_outputs_tell_the_same(tmp_path: Path) -> None:
    """The terminal's tables are those of Markdown without its marks, and CSV and JSON have their numbers."""
    paths = [str(saved(tmp_path / "a-cpu.json")), str(saved(tmp_path / "b-cpu.json", other()))]
    texts = {output: compare(*paths, *([output] if output else [])).stdout for output in ("", "--markdown", "--csv", "--json")}
    bare = " ".join(texts["--markdown"].replace("`", "").replace("**", "").replace("|", " ").replace("\\", "").split())
    assert "eager 1 5.00 k [1.33 k, 22.6 k] (r) 10.0 k [2.66 k, 45.3 k], × 2.00 [0.269, 14.9] (r) bounded, 2.5 ULP" in bare
    assert "eager 1 5.00 k [1.33 k, 22.6 k] (r) 10.0 k [2.66 k, 45.3 k], × 2.00 [0.269, 14.9] (r) bounded, 2.5 ULP" in " ".join(
        texts[""].split()
    )
    lines = list(csv.DictReader(io.StringIO(texts["--csv"])))
    content = json.loads(texts["--json"])
    results = [result for joined in content["rows"] for result in joined["results"]]
    assert len(lines) == len(results) == 12
    assert [float(line["ratio"] or 0) for line in lines] == pytest.approx([result.get("ratio", 0) for result in results], rel=1e-5)
    assert [line["status"] for line in lines] == [result["status"] for result in results]


def test_many_large_files_are_compared_without_torch(tmp_path: Path) -> None:
    """Ten files of 500 rows are compared without importing torch; how long it takes is told by `python -m tests.times`."""
    large_set(tmp_path)
    code = "import sys; from bench import __main__; code = __main__.main(); sys.exit(code or 10 * ('torch' in sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code, "compare", *map(str, tmp_path.iterdir())], cwd=ROOT, capture_output=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, b"")


FILES = sorted({*EVIDENCE.glob("*-*.json")} - {*EVIDENCE.glob(f"*{trials.SUFFIX}")})
"""What the suite writes; the self-test of `ab` has times of no benchmark."""


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_stock_tools_read_every_file(path: Path, tmp_path: Path) -> None:
    """pytest-benchmark's compare lists each row of a committed file, and a CI service finds the fields that it reads."""
    command = [sys.executable, "-m", "pytest_benchmark", "compare", "--between=median", str(path), shutil.copy(path, tmp_path)]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    for benchmark in json.loads(path.read_text())["benchmarks"]:
        assert benchmark["name"] in run.stdout
        value = {
            "name": benchmark["fullname"],
            "value": benchmark["stats"]["ops"],
            "range": f"stddev: {benchmark['stats']['stddev']}",
            "extra": benchmark["extra_info"],
        }
        assert all(value.values())
        assert benchmark["stats"]["rounds"] == len(benchmark["stats"]["data"])
        assert value["value"] == pytest.approx(1 / benchmark["stats"]["mean"])
