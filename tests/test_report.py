"""What people read: tables, CSV and the front page, made from evidence alone."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.evidence.files import RESULTS
from bench.evidence.machine import Machine, disturbances
from bench.evidence.records import read
from bench.report import folder, front, reach, results_csv
from bench.tables import cells
from targetrl_core import UsageError
from targetrl_core.rounding import FACTOR
from tests.hostile import why_unsafe
from tests.some_evidence import EVIDENCE, evidence, results_changed, row

ROOT = Path(__file__).parent.parent


def machine(tmp_path: Path, content: dict[str, Any]) -> Machine:
    """An evidence file, read."""
    path = tmp_path / "some-cpu.json"
    path.write_text(json.dumps(content))
    return Machine(read(path))


def table(page: str, title: str) -> list[list[str]]:
    """The cells below a title, a list a line."""
    lines = page.partition(f"### {title}")[2].partition("###")[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ") and "---" not in line]


def test_every_cell_has_a_number_or_a_reason(tmp_path: Path) -> None:
    """Numbers stand with interval, mark and the fastest in bold; a cell without one names its reason by number, hostile text escaped."""
    content = evidence()
    content["benchmarks"] = content["benchmarks"][:3]
    page = folder.text([machine(tmp_path, content)])
    assert table(page, "detached, native arithmetic, 50 steps")[1:] == [
        ["`eager`", "5.00 k [1.38 k, 21.9 k] *r*", "**withheld** (1)", "bounded, 2.5 ULP"],
        ["`batched`", "**10.0 k** [2.77 k, 43.8 k] *r*", "**1.00 M** [277 k, 4.38 M] *r*", "bounded, 2.5 ULP"],
    ]
    assert "(1) withheld: =weight \\| of \\<b\\>1\\</b\\> policies" in page
    assert "*r* fewer than five rounds" in page


def test_speed_over_eager_is_over_its_largest_size(tmp_path: Path) -> None:
    """Ratios are over eager's policy-steps per second at its largest measured N, and that N is in the title."""
    content = evidence()
    content["benchmarks"].append(row("eager", 10, [0.1] * 5))
    lines = table(
        folder.text([machine(tmp_path, content)]), "detached, native arithmetic: × `eager` (at its largest measured N, 10: 5.00 k)"
    )
    assert lines[0] == ["variant", "N = 1", "N = 10", "N = 100"]
    assert lines[1:] == [["`eager`", "1.00", "1.00", "–"], ["`batched`", "2.00", "–", "200"]]


def test_cold_starts_and_when_compiling_pays(tmp_path: Path) -> None:
    """Phases are medians over processes; what compiling costs is paid back by what each policy-step saves, or never."""
    some = machine(tmp_path, evidence())
    lines = table(folder.text([some]), "Cold and warm")
    assert lines[1] == ["`batched`", "1,000", "–", "2.05 s [1.50 s, 2.79 s]", "1.00 s", "100 ms", "500 ms", "250 ms", "3.0 MiB"]
    (payoff,) = table(folder.text([some]), "When compiling pays")[1:]
    # 8 s more to start, over (1 − 0.53795) s saved of 50,000 policy-steps.
    assert payoff == ["`batched-compiled` instead of `batched`", "empty", "8.00 s", "1,000", "866 k policy-steps"]


def test_growth_of_memory_stands_where_it_was_looked_at(tmp_path: Path) -> None:
    """Rows whose memory was looked at have it in a table and in the CSV, also for each policy; without any there is no table."""
    content = evidence()
    assert "### Growth of memory" not in folder.text([machine(tmp_path, content)])
    content["benchmarks"][2]["extra_info"]["peak_memory_bytes"] = 2 * 2**20
    some = machine(tmp_path, content)
    lines = table(folder.text([some]), "Growth of memory in one call")
    assert lines[1:] == [["`batched`", "100", "detached", "native", "2.0 MiB", "20971.5 B"]]
    memory = [line["peak_memory_bytes"] for line in csv.DictReader(io.StringIO(results_csv.text([some])))]
    assert memory == ["", "", str(2 * 2**20), str(3 * 2**20), str(3 * 2**20), ""]


def test_a_disturbed_run_is_weak_in_every_cell(tmp_path: Path) -> None:
    """A busy machine, or a row that takes another time the second time, marks all figures and says why."""
    content = evidence()
    content["targetrl"]["environment"] |= {"busy_elsewhere": 0.4, "throttled": 3}
    content["benchmarks"].append(row("batched", 100, [0.01] * 7, question="again"))
    content["benchmarks"][2]["stats"]["data"] = [0.02] * 7
    some = machine(tmp_path, content)
    assert some.again is not None
    assert some.again.value == pytest.approx(2.0)
    page = folder.text([some])
    for reason in ("other processes took 40% of the cores", "throttled 3 times", "one row took 2.00 × as long the second time"):
        assert f"**Weak figures: {reason}" in page or reason in page
    assert all("w" in some.marks(each) for each in some.evidence.benchmarks)


def test_each_disturbance_has_its_words(tmp_path: Path) -> None:
    """Whatever makes figures weak is named; a quiet machine has nothing to say."""
    quiet = machine(tmp_path, evidence()).evidence.targetrl.environment
    assert disturbances(quiet) == []
    changes = {
        "stolen": 0.2, "load_before": 2.0, "on_battery": True, "gpu_processes": 1, "gpu_throttled": 0x8,
        "governor": "powersave", "turbo": False,
    }  # fmt: skip
    content = evidence()
    content["targetrl"]["environment"] |= changes
    sentence = " ".join(disturbances(machine(tmp_path, content).evidence.targetrl.environment))
    for word in ("hypervisor", "load", "battery", "on the GPU", "0x8", "powersave"):
        assert word in sentence


def test_a_failed_clock_is_said(tmp_path: Path) -> None:
    """What the clock's self-test found wrong stands above the tables."""
    content = evidence()
    content["targetrl"]["clock"]["failures"] = ["4 × the work took 1.0 × the time"]
    assert "**Weak figures: the clock failed its test: 4 × the work took 1.0 × the time.**" in folder.text([machine(tmp_path, content)])


def test_csv_holds_every_row_and_no_formula(tmp_path: Path) -> None:
    """Each row is a line, those without a number included, and no text begins as a spreadsheet's formula does."""
    lines = list(csv.DictReader(io.StringIO(results_csv.text([machine(tmp_path, evidence())]))))
    assert [line["status"] for line in lines] == ["measured"] * 5 + ["withheld"]
    assert lines[1]["policy_steps_per_second"] == "10000"
    assert lines[-1]["policy_steps_per_second"] == ""
    assert lines[-1]["reason"].startswith("'=weight")


@pytest.mark.skipif(results_changed(), reason="results/ is not what is committed")
def test_committed_tables_are_made_of_the_committed_evidence() -> None:
    """results/ and the front page's figures are what `python -m bench report` makes of the evidence: never stale."""
    machines = folder.read(RESULTS)
    assert (RESULTS / "README.md").read_text() == folder.text(machines, RESULTS)
    assert (RESULTS / "results.csv").read_text() == results_csv.text(machines)
    page = (ROOT / "README.md").read_text()
    assert page == front.with_blocks(page, machines[0])
    assert len(front.BLOCK.findall(page)) == len(front.BLOCKS)


def front_page(some: Machine) -> str:
    """The blocks of the front page."""
    return front.with_blocks("".join(f"<!-- made by python -m bench report: {name} -->\n<!-- end -->\n" for name in front.BLOCKS), some)


def test_the_front_page_explains_its_letters(tmp_path: Path) -> None:
    """Below the table one line has the letters that occur in it, and what ambiguous policies are where some are; else there is none."""
    content = evidence()
    assert "\n*r* fewer than five rounds.  \n" in front_page(machine(tmp_path, content))
    content["benchmarks"][1]["extra_info"]["ambiguous"] = 3
    content["targetrl"]["environment"]["on_battery"] = True
    sentence = (
        "\n*r* fewer than five rounds; *w* weak: the machine was disturbed; "
        "ambiguous: policies whose course hangs on a rounding error, held to no bound.  \n"
    )
    assert sentence in front_page(machine(tmp_path, content))
    content = evidence()
    content["benchmarks"] = [row("batched", 1, [0.5] * 7)]
    content["targetrl"]["absent"] = []
    assert "bounded, 2.5 ULP |\n\n<!-- end -->" in front_page(machine(tmp_path, content))


def test_findings_are_no_more_exact_than_what_was_measured(tmp_path: Path) -> None:
    """The speed-up has two digits and the N of both rows."""
    content = evidence()
    content["benchmarks"][2]["stats"]["data"] = [0.0043] * 7
    page = front_page(machine(tmp_path, content))
    assert "`batched` at N = 100 does some 230 × the policy-steps per second of `eager` at N = 1, the largest that was measured" in page


def test_the_distances_of_honest_variants_are_a_table(tmp_path: Path) -> None:
    """What `bench upkeep bounds` measured stands by objective and steps, below the factor of the bound; another file is refused by name."""
    distances = [each for by_steps in reach.read(EVIDENCE).values() for each in by_steps.values()]
    assert len(distances) == 30
    assert 1.0 < max(max(each.by_tensor()) for each in distances) < FACTOR
    (tmp_path / "bounds.json").write_text('{"detached/adam": {"10": {"kinked": "none"}}}')
    with pytest.raises(UsageError, match=r"^bounds.json: Expected `float`, got `str`"):
        reach.read(tmp_path)


def test_committed_evidence_is_whole() -> None:
    """The CPU's default run has at least 40 rows, and no row was withheld."""
    for each in folder.read(EVIDENCE):
        if each.evidence.targetrl.device == "cpu":
            assert len(each.evidence.benchmarks) >= 40
        assert not [absence for absence in each.evidence.targetrl.absent if absence.kind == "withheld"]


def test_reading_needs_no_torch() -> None:
    """Reading evidence and making tables imports no torch."""
    code = "import sys, bench.report.folder, bench.__main__; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("typo", "typo: no evidence is there; it must be a folder with files <label>-<device>.json"),
        (".", "no evidence is there"),
        ("some-cpu.json", "some-cpu.json: no evidence is there"),
        ("locked", "README.md: Is a directory"),
    ],
)
def test_a_folder_that_cannot_be_reported_is_an_error(place: str, message: str, tmp_path: Path) -> None:
    """A folder that is not there, holds no evidence or takes no tables ends `report` with exit code 2 and one line, and is left alone."""
    (tmp_path / "locked" / "README.md").mkdir(parents=True)
    for path in (tmp_path / "locked" / "some-cpu.json", tmp_path / "elsewhere", tmp_path / "some.json"):
        path.write_text(json.dumps(evidence()))
    before = sorted(tmp_path.iterdir())
    command = [sys.executable, "-m", "bench", "report", "--results", str(tmp_path / place)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert ran.stderr.startswith("bench: ")
    assert message in ran.stderr
    assert ran.stderr.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(("command", "package"), [("report", "tabulate"), ("report", "msgspec"), ("schema", "msgspec")])
def test_a_missing_package_is_named(command: str, package: str) -> None:
    """Where a package is missing, the commands say which, in one line, with exit code 2."""
    code = (
        f"import sys; sys.modules['{package}'] = None; sys.argv[1:] = ['{command}']; from bench import __main__; sys.exit(__main__.main())"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (2, f"bench: the package {package} is missing: install what pyproject.toml names\n")


def test_unreadable_evidence_leaves_the_old_tables(tmp_path: Path) -> None:
    """A file that is no evidence ends `report` with exit code 2 and one line, and the tables stay as they were."""
    (tmp_path / "README.md").write_text("old")
    (tmp_path / "bad-cpu.json").write_text("{")
    with pytest.raises(UsageError, match=r"^bad-cpu.json: "):
        folder.write(tmp_path)
    command = [sys.executable, "-m", "bench", "report", "--results", str(tmp_path)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert ran.stderr.startswith("bench: bad-cpu.json: ")
    assert ran.stderr.count("\n") == 1
    assert (tmp_path / "README.md").read_text() == "old"


def test_values_have_three_digits_and_a_unit() -> None:
    """Speeds, times and sizes are printed with a unit, and what rounds up to the next unit is printed in it."""
    values = (1.234e9, 45.67e6, 999.4e3, 999.6e3, 12.3, 100e6, 3.0)
    assert [cells.scaled(value) for value in values] == ["1.23 G", "45.7 M", "999 k", "1.00 M", "12.3", "100 M", "3.00"]
    assert [cells.duration(value) for value in (5621.0, 999.6, 90.0, 1.5, 0.0123, 0.9999, 4.5e-6, 3e-9)] == [
        "5,620 s", "1,000 s", "90.0 s", "1.50 s", "12.3 ms", "1.00 s", "4.50 µs", "3.00 ns",
    ]  # fmt: skip
    assert [cells.rough(value) for value in (0.834, 2.0, 9.94, 9.96, 99.6, 820_590.0)] == ["0.83", "2.0", "9.9", "10", "100", "820,000"]
    assert [cells.size(count) for count in (12, 2048, 3 * 2**20, 2**31)] == ["12 B", "2.0 KiB", "3.0 MiB", "2.0 GiB"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("my_variant", "`my_variant`"),
        ("*a* [b](c) <i> \\_ &amp; #1", "`*a* [b](c) <i> \\_ &amp; #1`"),
        ("`", "`'`"),
        ("``` a`b ``", "`''' a'b ''`"),
        ("a|b", "`a\\|b`"),
        ("a\\\\|b|", "`a\\|b\\|`"),
        ("end\\", "`end\\`"),
        ("two\nlines\r\u2028\x1b", "`two lines   `"),
        (" a ", "` a `"),
        ("", "–"),
        (" \n", "–"),
        (None, "`None`"),
    ],
)
def test_a_code_span_shows_its_text_and_has_no_way_out(text: str | None, shown: str) -> None:
    """Names stand as they are, without backslashes; backticks, bars, line ends and blank text neither end nor break the span."""
    assert cells.coded(text) == shown
    assert why_unsafe("markdown", f"| {shown} | b |\n|---|---|\n| c | d |\n{shown}\n") is None
