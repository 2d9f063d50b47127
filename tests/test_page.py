"""The page: one file that needs no other, with every row, in which no file's text is markup or script."""

import base64
import copy
import hashlib
import json
import subprocess
import sys
from collections.abc import Sequence
from html.parser import HTMLParser
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.evidence.files import RESULTS
from bench.evidence.machine import Machine, meanings
from bench.evidence.untrusted import plain
from bench.report import folder
from bench.report.page import PACKAGES, charts, rows, writer
from targetrl_core import UsageError
from tests.hostile import NUMBERS, OTHERS, TEXTS, replaced
from tests.some_evidence import EVIDENCE, evidence, results_changed, row
from tests.synthetic import large_set
from tests.test_hostile import REAL, SHARP

ROOT = Path(__file__).parent.parent


class Read(HTMLParser):
    """A page as a browser reads it: elements with their attributes, and what stands in scripts, styles and elsewhere."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.data = ""
        self.text = ""
        self._open: list[str] = []
        self._kind: str | None = None
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep it."""
        self.elements.append((tag, dict(attrs)))
        if tag == "script":
            self._kind = dict(attrs).get("type")
            self.scripts += [""] * (self._kind is None)
        self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """The innermost one of that name ends."""
        if tag in self._open:
            del self._open[len(self._open) - 1 - self._open[::-1].index(tag) :]

    def handle_data(self, data: str) -> None:
        """A script, the data, or text."""
        inside = self._open[-1] if self._open else ""
        if inside == "script" and self._kind is None:
            self.scripts[-1] += data
        elif inside == "script":
            self.data += data
        elif inside != "style":
            self.text += data

    @property
    def names(self) -> list[str]:
        """The elements' names."""
        return [name for name, _ in self.elements]


def machines_of(tmp_path: Path, *contents: dict[str, Any]) -> list[Machine]:
    """Evidence files, read."""
    for number, content in enumerate(contents):
        label = content["targetrl"]["label"]
        (tmp_path / f"{number}-{label}-cpu.json").write_text(json.dumps(content))
    return folder.read(tmp_path)


def page_of(machines: Sequence[Machine]) -> Read:
    """The page, read."""
    return Read(writer.html(machines))


@pytest.fixture(scope="module")
def real() -> Read:
    """The page of the committed evidence."""
    return page_of(folder.read(EVIDENCE))


def test_the_page_needs_no_other_file(real: Read) -> None:
    """It names nothing outside itself, and its policy forbids to ask for anything."""
    for _, attributes in real.elements:
        assert (attributes.get("href") or "#").startswith("#")
        assert "src" not in attributes
    policy = next(attributes["content"] for name, attributes in real.elements if attributes.get("http-equiv"))
    assert policy is not None
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe-eval" not in policy


def test_only_its_own_scripts_may_run(real: Read) -> None:
    """The policy names the digests of the scripts that stand in the page, and no others."""
    policy = next(attributes["content"] or "" for _, attributes in real.elements if attributes.get("http-equiv"))
    allowed = policy.partition("script-src ")[2].partition(";")[0].split()
    made = [f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" for script in real.scripts]
    assert allowed == made
    assert len(made) == 3


def test_every_row_is_in_the_page(real: Read) -> None:
    """The page's data has every row of the evidence, with its speed, or the reason why it has none; the text, what it depends on."""
    data = json.loads(real.data)
    machines = folder.read(EVIDENCE)
    part = machines[0].evidence.targetrl
    assert len(data["rows"]) == sum(len(machine.evidence.benchmarks) + len(machine.evidence.targetrl.absent) for machine in machines)
    reasons = sorted(plain(absence.reason) for absence in part.absent)
    assert sorted(row["reason"] for row in data["rows"] if row["status"] != "measured") == reasons
    for value in (part.fingerprint.processor, part.fingerprint.torch, *part.fingerprint.packages):
        assert plain(value) in real.text


def test_the_fastest_at_each_n_are_those_of_the_tables(real: Read) -> None:
    """Before any plot stands the fastest variant of each N, as the tables in Markdown have it."""
    machines = folder.read(EVIDENCE)
    first = next(rows.fastest(machines[0]))
    assert real.names.index("table") < next(
        index for index, (_, attributes) in enumerate(real.elements) if attributes.get("class") == "chart"
    )
    for n, best in first["best"].items():
        assert f"`{best['variant']}` {best['speed']}" in folder.text(machines)
        assert f"N = {n:,}" in real.text


def test_each_problem_has_its_fastest(tmp_path: Path) -> None:
    """The verdict has a line for each problem, with the N at which it has a number; below stands what its letters mean."""
    content = evidence()
    content["benchmarks"].append(row("batched", 7, [1.0, 1.1], arithmetic="portable"))
    machines = machines_of(tmp_path, content)
    assert [set(line["best"]) for line in rows.fastest(machines[0])] == [{1, 100}, {7}]
    first = page_of(machines).text.partition("Throughput over population size")[0]
    assert all(text in first for text in meanings(["r"]).values())


def test_a_device_without_rows_has_a_page(tmp_path: Path) -> None:
    """Where nothing was measured the page says so, and what speaks against the device's figures stands on its card."""
    (bare,) = machines_of(tmp_path, evidence(clock=evidence()["targetrl"]["clock"] | {"failures": ["<b>slow</b>"]}) | {"benchmarks": []})
    page = page_of([bare])
    assert "No cold start was measured." in page.text
    assert "Weak figures: the clock failed its test: <b>slow</b>." in page.text


def test_cold_starts_tell_their_phases(tmp_path: Path) -> None:
    """Each has the medians of its phases over its processes, what a first call takes beyond a later one, and their sum."""
    (machine,) = machines_of(tmp_path, evidence())
    batched, compiled = rows.cold_starts(machine)
    assert batched["times"] == ["2.35 s", "1.00 s", "100 ms", "250 ms", "1.00 s"]
    assert (compiled["cache"], compiled["times"][2]) == ("empty", "8.10 s")
    assert batched["total"] == pytest.approx(sum(batched["seconds"]))


def test_a_card_has_names_units_and_round_figures(tmp_path: Path) -> None:
    """A device's card tells memory in GiB, shares in per cent, times with their unit and truths by yes and no, and no field's own name."""
    content = evidence()
    part = content["targetrl"]
    part["fingerprint"] |= {"memory_gib": 23.456, "dirty": False, "packages": {"numpy": "2.4"}, "gpu": "Some GPU", "cuda": "12.8"}
    changed = {"stolen": 0.00017475659103046906, "turbo": True}
    part["environment"] |= changed | {"thread_settings": {"OMP_NUM_THREADS": "2"}}
    known = dict(rows.card(machines_of(tmp_path, content)[0])["facts"])
    assert known == known | {
        "memory": "23.5 GiB", "uncommitted changes": "no", "numpy": "2.4", "GPU": "Some GPU", "CUDA": "12.8", "stolen": "0.0%",
        "busy elsewhere": "1.0%", "turbo": "yes",
        "OMP_NUM_THREADS": "2",
    }  # fmt: skip
    assert not [name for name in known if "gib" in name or "dirty" in name]
    assert "governor" not in known


def test_devices_have_lines_of_their_own() -> None:
    """Ten devices, as many as the page is made for, have ten kinds of lines."""
    assert len(set(charts.cycled(charts.DASHES, 10))) == 10


def hostile(text: str) -> dict[str, Any]:
    """A real file with one text wherever the page shows some."""
    content = copy.deepcopy(REAL)
    part = content["targetrl"]
    for key in ("processor", "gpu", "driver", "compiler", "torch_compiler", "kernel_compiler", "compile_flags", "commit", "system"):
        part["fingerprint"][key] = text[:2000]
    part["clock"]["failures"] = [text[:2000]]
    part["no_limits"] = text[:2000]
    for absence in part["absent"][:2]:
        absence["reason"] = text[:2000]
    part["absent"][0].pop("cell", None)
    if text and text.isprintable() and len(text) <= 200:
        part["absent"][0]["name"] = text
        part["fingerprint"]["packages"] = {text: text}
        steady = next(timed for timed in content["benchmarks"] if timed["extra_info"]["question"] == "steady state")
        for each in (content["benchmarks"][0], steady):
            each["extra_info"] |= {"variant": text, "objective": text}
    return content


@pytest.mark.parametrize(
    "text", [*TEXTS, "</script><script>alert(1)</script>", "<!--<script>", "]]>", "'-alert(1)-'", "${1}", "{{7*7}}"], ids=ascii
)
def test_no_text_of_a_file_is_markup_or_script(text: str, tmp_path: Path) -> None:
    """Whatever stands in a file, the page has the elements and the scripts that it has with another text, and shows it in one direction."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    page = page_of(machines_of(tmp_path / "a", hostile(text)))
    tame = page_of(machines_of(tmp_path / "b", hostile("tame" if text and text.isprintable() and len(text) <= 200 else "\x00")))
    assert page.names == tame.names
    assert [sorted(attributes) for _, attributes in page.elements] == [sorted(attributes) for _, attributes in tame.elements]
    assert page.scripts == tame.scripts
    data = json.loads(page.data, parse_constant=pytest.fail)
    assert any(row.get("reason", "").endswith(plain(text[:2000])) for row in data["rows"])
    assert all(line.isprintable() for line in page.text.split("\n"))


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=st.sampled_from(SHARP), value=st.sampled_from((*NUMBERS, *OTHERS)))
def test_any_field_may_hold_anything(path: tuple[Any, ...], value: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ANN401 — any JSON value
    """A file with any one field replaced is refused as it is by the tables, or has a page of strict JSON and a picture."""
    monkeypatch.setattr(charts, "INKS", {"throughput.svg": "#000000"})
    (tmp_path / "bad-cpu.json").write_bytes(replaced(REAL, path, value))
    try:
        machines = folder.read(tmp_path)
        folder.text(machines)
    except UsageError:
        return
    json.loads(page_of(machines).data, parse_constant=pytest.fail)
    assert all(svg.startswith("<svg") for svg in charts.pictures(machines[0], writer.variant_names(machines)).values())


def test_a_script_ends_nowhere_but_at_its_end() -> None:
    """What would end a script's element is written another way."""
    assert writer.inline("a='</script>'+'<!--'+'<SCRIPT'\r\nb") == "a='\\x3c/script>'+'\\x3c!--'+'\\x3cSCRIPT'\nb"


def test_variants_differ_in_more_than_colour() -> None:
    """No two of 56 variants have the same colour and shape, and those of one colour have different shapes."""
    pairs = list(zip(charts.cycled(charts.COLOURS, 56), charts.cycled(charts.SHAPES, 56), strict=True))
    assert len(set(pairs)) == 56


def test_where_packages_are_missing_the_tables_are_made(tmp_path: Path) -> None:
    """Without the packages of the extra, report writes what it wrote, and says in one line what the page needs."""
    (tmp_path / "some-cpu.json").write_text(json.dumps(evidence()))
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({PACKAGES!r})); sys.argv[1:] = ['report', '--results', {str(tmp_path)!r}]; "
        "from bench import __main__; sys.exit(__main__.main())"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.splitlines() == [
        f"wrote {tmp_path / 'README.md'}",
        f"wrote {tmp_path / 'results.csv'}",
        f"index.html was not made: {', '.join(PACKAGES)} is missing; pip install 'targetrl[report]'",
    ]
    assert not (tmp_path / "index.html").exists()


def test_the_page_is_written_beside_the_tables(tmp_path: Path) -> None:
    """`python -m bench report` writes the page and both pictures, without torch."""
    (tmp_path / "some-cpu.json").write_text(json.dumps(evidence()))
    code = (
        f"import sys, pathlib; from bench.report import folder; folder.write(pathlib.Path({str(tmp_path)!r})); "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
    assert {path.name for path in tmp_path.iterdir()} == {
        "some-cpu.json", "README.md", "results.csv", "index.html", "throughput.svg", "throughput-dark.svg",
    }  # fmt: skip


def pinned(package: str) -> str:
    """The version of a package that the pictures were drawn with."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return next(line.partition("==")[2] for line in lines if line.startswith(f"{package}=="))


DRAWN_WITH = ("altair", "vl-convert-python")


@pytest.mark.skipif(any(version(name) != pinned(name) for name in DRAWN_WITH), reason="other versions draw other pictures")
@pytest.mark.skipif(results_changed(), reason="results/ is not what is committed")
def test_committed_pictures_are_drawn_from_the_committed_evidence() -> None:
    """The pictures of README.md are those of the evidence, small, and there for a reader by day and by night."""
    machines = folder.read(RESULTS)
    drawn = charts.pictures(machines[0], writer.variant_names(machines))
    assert drawn.keys() == charts.INKS.keys()
    for name, svg in drawn.items():
        assert (RESULTS / name).read_text() == svg
        assert len(svg) < 200_000
        assert f"results/{name}" in (ROOT / "README.md").read_text()


def test_a_large_report_is_not_too_large(tmp_path: Path) -> None:
    """Of 10 devices of 500 rows a page of less than 5 MB is made; `python -m tests.times` tells how soon."""
    count = large_set(tmp_path)
    assert count == 5000
    folder.write(tmp_path)
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert len(page.encode()) < 5e6
    assert len(json.loads(Read(page).data)["rows"]) == count
