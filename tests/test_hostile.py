"""Evidence files of strangers: refused in one line or shown safely, whatever stands in them."""

import json
import os
import random
import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from contextlib import redirect_stderr, redirect_stdout
from hashlib import sha256
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.__main__ import main
from bench.comparison import columns
from bench.evidence import records, untrusted
from bench.evidence.machine import Machine
from bench.report import folder, front, results_csv
from bench.report.reach import reach_section
from bench.report.verdicts import verdicts_section
from targetrl_core import Problem, UsageError
from targetrl_core.checkpoint import content as checkpoint
from targetrl_core.report import summary_lines
from targetrl_core.streaming import plan
from tests.hostile import TEXTS, Form, Place, known, places, real_evidence, replaced, spoiled, why_no_message, why_unsafe
from tests.some_evidence import EVIDENCE, evidence, row

ROOT = Path(__file__).parent.parent

REAL = real_evidence()
SHARP = [place for place in places(REAL) if place[0] in ("benchmarks", "targetrl")]
START, END = "<!-- made by python -m bench report: ", "<!-- end -->\n"
FRONT = "".join(f"{START}{name} -->\n{END}" for name in front.BLOCKS)
RUN = plan(Problem(steps=5), 1000, variant="batched", chunk=400)

Shown = Iterable[tuple[Form, str]]


class Reader(NamedTuple):
    """What reads files of strangers: a good file, the places in it that are changed, and all that is made of a file in a folder.

    ``pack`` makes the file of a spoiled content, where it is more than that.
    """

    file: str
    content: Any
    roots: tuple[str, ...]
    show: Callable[[Path], Shown]
    pack: Callable[[bytes], bytes] = bytes


def few_trials() -> dict[str, Any]:
    """Evidence of the self-test, shortened."""
    content: dict[str, Any] = known("-verdicts")
    return content | {"trials": content["trials"][:4]}


def some_checkpoint() -> Any:  # noqa: ANN401 — any JSON value
    """The body of one, of the first chunk of a run."""
    return json.loads(checkpoint.encode(RUN, range(RUN.n), next(iter(RUN.train(range(RUN.n))))).splitlines()[1])


def with_digest(body: bytes) -> bytes:
    """A checkpoint whose body has the digest that its head says: what an enemy can write, and damage cannot."""
    head = {"targetrl": "checkpoint", "version": 1, "sha256": sha256(body).hexdigest()}
    return json.dumps(head).encode() + b"\n" + body + b"\n"


def show_evidence(place: Path) -> Shown:
    """The report, the front page, the CSV, advice, and each output of a comparison with a real file."""
    path, good = place / "bad-cpu.json", place / "good/good-cpu.json"
    machine = Machine(records.read(path))
    yield "markdown", folder.text([machine])
    yield "markdown", re.sub(f"(?m)^{START}\\w+ -->$", "", front.with_blocks(FRONT, machine).replace(END, ""))
    yield "csv", results_csv.text([machine])
    yield from advice("--policies", "1000", "--results", str(place))
    for paths in ([path, good], [good, path]):
        compare = ("compare", "--mixed-commits", *map(str, paths))
        yield "markdown", printed(*compare, "--markdown")
        yield "terminal", printed(*compare)
        yield "csv", printed(*compare, "--csv")
        yield "json", printed(*compare, "--json")


def advice(*arguments: str) -> Shown:
    """What `recommend` prints; evidence that tells nothing of the problem is no evidence to refuse, and said to tell nothing."""
    try:
        yield "terminal", printed("recommend", *arguments)
        yield "json", printed("recommend", *arguments, "--json")
    except UsageError as error:
        yield "terminal", str(error)


def printed(*arguments: str) -> str:
    """What a command prints; raises UsageError with what it says where it ends with exit code 2."""
    with redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()) as err:
        code = main(arguments)
    if code == 2:
        raise UsageError(err.getvalue().removesuffix("\n"))
    return out.getvalue()


def show_checkpoint(place: Path) -> Shown:
    """What a run that goes on from it says in the end."""
    summary = checkpoint.read(place / "shard-0-of-1-a.json", RUN, range(RUN.n))
    return [("terminal", line) for line in summary_lines(summary)] if summary is not None else []


READERS = {
    "evidence": Reader("bad-cpu.json", real_evidence(40), ("benchmarks", "targetrl"), show_evidence),
    "verdicts": Reader("bad-cpu-verdicts.json", few_trials(), (), lambda place: [("markdown", "\n".join(verdicts_section(place)))]),
    "bounds": Reader(
        "bounds.json",
        json.loads((EVIDENCE / "bounds.json").read_text(encoding="utf-8")),
        (),
        lambda place: [("markdown", "\n".join(reach_section(place)))],
    ),
    "checkpoint": Reader("shard-0-of-1-a.json", some_checkpoint(), (), show_checkpoint, with_digest),
}
"""Another reader is another entry."""


def is_shown(reader: Reader, content: bytes, place: Path) -> bool:
    """Whether a file is shown, safely; else it has to be refused in one line that names it."""
    (place / reader.file).write_bytes(reader.pack(content))
    (place / "good").mkdir(exist_ok=True)
    (place / "good/good-cpu.json").write_text(json.dumps(REAL))
    try:
        for form, text in reader.show(place):
            assert why_unsafe(form, text) is None
    except UsageError as error:
        refusal = str(error)
    else:
        return True
    assert why_no_message(refusal, reader.file) is None
    return False


FAST = settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("reader", READERS.values(), ids=list(READERS))
def test_spoiled_files_are_refused_or_shown(reader: Reader, tmp_path: Path) -> None:
    """Any field may hold anything, be missing or stand twice, and any byte may be wrong: refused by name or shown safely, some of each."""
    at = [place for place in places(reader.content) if not reader.roots or place[0] in reader.roots]
    became: list[bool] = []

    @FAST
    @given(dice=st.randoms(use_true_random=False))
    def feed(dice: random.Random) -> None:
        became.append(is_shown(reader, spoiled(reader.content, at, dice), tmp_path))

    feed()
    assert is_shown(reader, json.dumps(reader.content).encode(), tmp_path)
    assert became.count(False) > len(became) / 10
    assert True in became


@pytest.mark.parametrize("text", TEXTS, ids=ascii)
def test_every_hostile_text_is_harmless_everywhere(text: str, tmp_path: Path) -> None:
    """The same hostile text in every field of text that takes it: names of variants, reasons, processors, packages."""
    reader = READERS["evidence"]
    content = json.loads(json.dumps(reader.content))
    for key in ("processor", "gpu", "driver", "compiler", "torch_compiler", "kernel_compiler", "compile_flags", "commit", "system"):
        content["targetrl"]["fingerprint"][key] = text[:2000]
    content["targetrl"]["clock"]["failures"] = [text[:2000]]
    content["targetrl"]["absent"][0]["reason"] = text[:2000]
    content["targetrl"]["no_limits"] = text[:2000]
    assert is_shown(reader, json.dumps(content).encode(), tmp_path)
    content["targetrl"]["absent"][0]["name"] = content["benchmarks"][0]["extra_info"]["variant"] = text
    content["targetrl"]["fingerprint"]["packages"] = {text: text}
    shown = is_shown(reader, json.dumps(content).encode(), tmp_path)
    assert shown or not text or len(text) > 200 or not text.isprintable()


@pytest.mark.parametrize("place", [("limits", "divisions"), ("limits", "copied_bytes"), ("work", 0, "moved_bytes")], ids=str)
def test_no_limit_is_without_end(place: Place, tmp_path: Path) -> None:
    """Rates that are as good as nothing, or work that is nothing, would make a limit of zero or infinity: they are refused."""
    (tmp_path / "bad-cpu.json").write_bytes(replaced(REAL, ("targetrl", *place), 1e-320 if place[0] == "limits" else 0))
    with pytest.raises(UsageError, match=rf">= 1(e-09)? - at `\$.targetrl.{place[0]}"):
        records.read(tmp_path / "bad-cpu.json")


def altered(**changes: bytes) -> bytes:
    """Evidence with parts of its text replaced."""
    content = json.dumps(evidence()).encode()
    for old, new in changes.items():
        assert old.encode() in content
        content = content.replace(old.encode(), new, 1)
    return content


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xef\xbb\xbf" + altered(), "JSON is malformed: invalid character (byte 0)"),
        (altered().decode().encode("utf-16"), "byte 0 is not UTF-8"),
        (altered(Some=b"\xe9"), "is not UTF-8"),
        (altered()[:-5], "Input data was truncated"),
        (altered() + b"{}", "trailing characters"),
        (altered(label=b'label": "x", "label'), "the key 'label' stands twice in one object"),
        (b'{"x": {"a": 1, "a": 2}, ' + altered()[1:], "the key 'a' stands twice in one object"),
        (b'{"x": ' + b"[" * 10_000 + b"]" * 10_000 + b", " + altered()[1:], "recursion"),
        (b'{"x": ' + b"9" * 10_000 + b", " + altered()[1:].replace(b'"schema": 2', b'"schema": 3'), "targetrl.schema is 3"),
        (altered(**{"0.005": b"1e999"}), "Number out of range - at `$.benchmarks[0].stats.data[0]`"),
        (altered(**{"0.005": b"NaN"}), "malformed"),
        (altered(**{"0.005": b"-Infinity"}), "malformed"),
        (altered(bounded=b"\\u001b[31m" + b"x" * 10_000), "at `$.benchmarks[0].extra_info.identity`"),
        (altered(Linux=b"x" * 3000), "length <= 2000 - at `$.targetrl.fingerprint.system`"),
        (altered(**{'variant": "eager': b'variant": "x\\n'}), "$.benchmarks[0].extra_info.variant"),
        (altered(**{'variant": "eager': b'variant": "\\u202ex'}), "$.benchmarks[0].extra_info.variant"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_one_line(content: bytes, message: str, tmp_path: Path) -> None:
    """Encodings, byte-order marks, ends that are missing, keys that stand twice, depth, numbers: one short plain line."""
    path = tmp_path / "bad-cpu.json"
    path.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        records.read(path)
    assert str(caught.value).startswith("bad-cpu.json: ")
    assert message in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400


def test_a_cell_stands_in_one_row(tmp_path: Path) -> None:
    """Two rows with one cell are refused, by both of their places."""
    content = evidence()
    content["benchmarks"].append(content["benchmarks"][1])
    path = tmp_path / "bad-cpu.json"
    path.write_text(json.dumps(content))
    with pytest.raises(UsageError, match=r"the cell of benchmarks\[1\] is there again - at `\$.benchmarks\[5\].extra_info`"):
        records.read(path)


@pytest.mark.parametrize(
    "rows",
    [
        [row(f"v{i}", i + 1, [0.1]) for i in range(1000)],
        [row("v", 1, [0.1], objective=f"o{i}") for i in range(1000)],
        [row(f"v{i}", 1, [0.1], steps=i + 1) for i in range(400)],
        [row("v", i + 1, [0.1]) for i in range(6000)],
    ],
    ids=["variants × N", "problems", "variants × problems", "rows"],
)
def test_no_file_asks_for_tables_much_larger_than_itself(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    """What would fill millions of cells is refused before any is made."""
    path = tmp_path / "bad-cpu.json"
    path.write_text(json.dumps(evidence(absent=[]) | {"benchmarks": rows}))
    with pytest.raises(UsageError, match=r"at (most 100,000 and 500 - at )?`\$.benchmarks`"):
        records.read(path)


def test_the_most_rounds_of_a_row_are_shown(tmp_path: Path) -> None:
    """The interval of 100,000 rounds is found."""
    path = tmp_path / "long-cpu.json"
    path.write_text(json.dumps(evidence(absent=[]) | {"benchmarks": [row("v", 1, [0.1 + i * 1e-9 for i in range(100_000)])]}))
    assert "**500** [500, 500]" in folder.text([Machine(records.read(path))])


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    """A pipe that nobody writes to, a folder, a link and a device are refused at once."""
    (tmp_path / "file-cpu.json").write_text(json.dumps(evidence()))
    (tmp_path / "link-cpu.json").symlink_to(tmp_path / "file-cpu.json")
    (tmp_path / "folder-cpu.json").mkdir()
    os.mkfifo(tmp_path / "pipe-cpu.json")
    for place, message in (
        (tmp_path / "pipe-cpu.json", "pipe-cpu.json: it must be a regular file"),
        (tmp_path / "folder-cpu.json", "folder-cpu.json: Is a directory"),
        (tmp_path / "link-cpu.json", "link-cpu.json: it is a link; name the file itself"),
        (Path("/dev/zero"), "zero: it must be a regular file"),
    ):
        with pytest.raises(UsageError) as caught:
            records.read(place)
        assert str(caught.value) == message
    with pytest.raises(UsageError, match="Is a directory"):
        folder.read(tmp_path)


def test_files_are_not_too_large_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that reads many files looks at their sizes first."""
    paths = [tmp_path / f"{name}-cpu.json" for name in "ab"]
    for path in paths:
        path.write_text(json.dumps(evidence()))
    monkeypatch.setattr(untrusted, "TOTAL_LIMIT", paths[0].stat().st_size + 1)
    for read in (lambda: columns.read(paths), lambda: folder.read(tmp_path)):
        with pytest.raises(UsageError, match=r"^2 files of [\d,]+ bytes together; they must be at most"):
            read()


@pytest.mark.parametrize("output", ["", "--markdown", "--csv", "--json"])
def test_no_escape_sequence_reaches_the_terminal(output: str, tmp_path: Path) -> None:
    """Names of files and what stands in them reach a terminal without its commands, on stdout and on stderr, in any encoding."""
    content = evidence()
    content["targetrl"]["fingerprint"]["processor"] = "\x1b]0;title\x07 漢"
    (tmp_path / "\x1b[31mred-cpu.json").write_text(json.dumps(content))
    (tmp_path / "some-cpu.json").write_text(json.dumps(evidence()))
    for names in (("\x1b[31mred-cpu.json", "some-cpu.json"), ("some-cpu.json", "\x1b[31mnone.json")):
        command = [sys.executable, "-m", "bench", "compare", *(str(tmp_path / name) for name in names), *([output] if output else [])]
        ran = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, env=os.environ | {"PYTHONIOENCODING": "ascii"})
        assert ran.returncode == (2 if "none" in names[1] else 0), ran.stderr
        assert not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", ran.stdout + ran.stderr)
        assert ran.stderr.count(b"\n") == ran.returncode // 2


@pytest.mark.parametrize(
    ("form", "text", "failure"),
    [
        ("markdown", "<b>", "markup"),
        ("terminal", "\x1b[2J", "a line that is not printable"),
        ("csv", "a,b\n=1,2\n", "a formula"),
        ("csv", "a,b\n1\n", "CSV whose lines differ"),
        ("json", "[NaN]", "JSON that others cannot read"),
        ("markdown", "| a | b |\n| c |\n", "a table whose lines differ"),
        ("markdown", "| a | b |\n| `c|d` | e |\n", "a table whose lines differ"),
        ("markdown", "[x](javascript:x)", "a foreign link"),
        ("markdown", "`a\\``b`", "a code span without an end"),
        ("markdown", "\\`<b>`", "markup"),
    ],
)
def test_what_takes_effect_is_noticed(form: Form, text: str, failure: str) -> None:
    """What the tests above look for is found where it is, and a message that does not name the file, too."""
    assert (why_unsafe(form, text) or "").startswith(failure)
    assert why_no_message("other.json: it is empty", "bad.json") == "a message that does not name the file: other.json: it is empty"
