"""Evidence files of strangers: refused in one line or shown safely, whatever stands in them."""

import copy
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.comparison import columns
from bench.evidence import records, untrusted
from bench.evidence.machine import Machine
from bench.hostile.feed import feed, feed_one
from bench.hostile.readers import GOOD_FILE, READERS, Reader, real_evidence
from bench.hostile.spoil import places
from bench.hostile.values import ALL, TEXTS
from bench.report import folder
from targetrl_core import UsageError
from tests.some_evidence import evidence, row

ROOT = Path(__file__).parent.parent

REAL = real_evidence()
EVIDENCE = READERS[0]
SHARP = [place for place in places(REAL) if place[0] in ("benchmarks", "targetrl")]
HOSTILE = st.one_of(st.sampled_from(ALL), st.text(max_size=30), st.integers(), st.floats())


def mutated(path: tuple[Any, ...], change: Callable[[Any, Any], None]) -> bytes:
    """The real file with something done at one place."""
    content = copy.deepcopy(REAL)
    parent: Any = content
    for key in path[:-1]:
        parent = parent[key]
    change(parent, path[-1])
    return json.dumps(content, ensure_ascii=False).encode("utf-8", "surrogatepass")


def replaced(path: tuple[Any, ...], value: Any) -> bytes:  # noqa: ANN401 — any JSON value
    """The real file with another value at one place."""
    return mutated(path, lambda parent, key: parent.__setitem__(key, value))


def check_safe(content: bytes, tmp_path: Path) -> bool:
    """Whether a file is shown, safely; else it has to be refused in one line."""
    (tmp_path / EVIDENCE.file).write_bytes(content)
    (tmp_path / GOOD_FILE).write_text(json.dumps(REAL))
    found = feed_one(EVIDENCE, tmp_path / EVIDENCE.file)
    assert found.failure is None, found.failure
    return not found.refused


FAST = settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])


@FAST
@given(path=st.sampled_from(SHARP), value=HOSTILE)
def test_any_field_may_hold_anything(path: tuple[Any, ...], value: Any, tmp_path: Path) -> None:  # noqa: ANN401 — any JSON value
    """A file with any one field replaced by anything is refused in one line, or shown without markup, control characters or formulas."""
    check_safe(replaced(path, value), tmp_path)


@FAST
@given(path=st.sampled_from(SHARP), again=st.booleans())
def test_any_field_may_be_missing_or_doubled(path: tuple[Any, ...], again: bool, tmp_path: Path) -> None:  # noqa: FBT001 — drawn
    """A file with any one field dropped, or any element of a list there twice, is refused or shown."""

    def change(parent: Any, key: Any) -> None:  # noqa: ANN401 — any JSON value
        if again and isinstance(parent, list):
            parent.append(parent[key])
        else:
            del parent[key]

    check_safe(mutated(path, change), tmp_path)


@FAST
@given(data=st.data())
def test_any_byte_may_be_wrong(data: st.DataObject, tmp_path: Path) -> None:
    """A file that is cut anywhere, or has some bytes changed, is refused or shown."""
    content = bytearray(json.dumps(REAL).encode())
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=4)):
        content[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.one_of(st.none(), st.integers(0, len(content))))
    check_safe(bytes(content[:cut]), tmp_path)


@pytest.mark.parametrize("text", TEXTS, ids=ascii)
def test_every_hostile_text_is_harmless_everywhere(text: str, tmp_path: Path) -> None:
    """The same hostile text in every field of text that takes it: names of variants, reasons, processors, packages."""
    content = copy.deepcopy(REAL)
    for key in ("processor", "gpu", "driver", "compiler", "torch_compiler", "kernel_compiler", "compile_flags", "commit", "system"):
        content["targetrl"]["fingerprint"][key] = text[:2000]
    content["targetrl"]["clock"]["failures"] = [text[:2000]]
    content["targetrl"]["absent"][0]["reason"] = text[:2000]
    content["targetrl"]["no_limits"] = text[:2000]
    assert check_safe(json.dumps(content).encode(), tmp_path)
    content["targetrl"]["absent"][0]["name"] = content["benchmarks"][0]["extra_info"]["variant"] = text
    content["targetrl"]["fingerprint"]["packages"] = {text: text}
    shown = check_safe(json.dumps(content).encode(), tmp_path)
    assert shown or not text or len(text) > 200 or not text.isprintable()


@pytest.mark.parametrize("place", [("limits", "divisions"), ("limits", "copied_bytes"), ("work", 0, "moved_bytes")], ids=str)
def test_no_limit_is_without_end(place: tuple[Any, ...], tmp_path: Path) -> None:
    """Rates that are as good as nothing, or work that is nothing, would make a limit of zero or infinity: they are refused."""
    (tmp_path / "bad-cpu.json").write_bytes(replaced(("targetrl", *place), 1e-320 if place[0] == "limits" else 0))
    with pytest.raises(UsageError, match=rf">= 1(e-09)? - at `\$.targetrl.{place[0]}"):
        records.read(tmp_path / "bad-cpu.json")


def spoiled(**changes: bytes) -> bytes:
    """Evidence with parts of its text replaced."""
    content = json.dumps(evidence()).encode()
    for old, new in changes.items():
        assert old.encode() in content
        content = content.replace(old.encode(), new, 1)
    return content


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xef\xbb\xbf" + spoiled(), "JSON is malformed: invalid character (byte 0)"),
        (spoiled().decode().encode("utf-16"), "byte 0 is not UTF-8"),
        (spoiled(Some=b"\xe9"), "is not UTF-8"),
        (spoiled()[:-5], "Input data was truncated"),
        (spoiled() + b"{}", "trailing characters"),
        (spoiled(label=b'label": "x", "label'), "the key 'label' stands twice in one object"),
        (b'{"x": {"a": 1, "a": 2}, ' + spoiled()[1:], "the key 'a' stands twice in one object"),
        (b'{"x": ' + b"[" * 10_000 + b"]" * 10_000 + b", " + spoiled()[1:], "recursion"),
        (b'{"x": ' + b"9" * 10_000 + b", " + spoiled()[1:].replace(b'"schema": 2', b'"schema": 3'), "targetrl.schema is 3"),
        (spoiled(**{"0.005": b"1e999"}), "Number out of range - at `$.benchmarks[0].stats.data[0]`"),
        (spoiled(**{"0.005": b"NaN"}), "malformed"),
        (spoiled(**{"0.005": b"-Infinity"}), "malformed"),
        (spoiled(bounded=b"\\u001b[31m" + b"x" * 10_000), "at `$.benchmarks[0].extra_info.identity`"),
        (spoiled(Linux=b"x" * 3000), "length <= 2000 - at `$.targetrl.fingerprint.system`"),
        (spoiled(**{'variant": "eager': b'variant": "x\\n'}), "$.benchmarks[0].extra_info.variant"),
        (spoiled(**{'variant": "eager': b'variant": "\\u202ex'}), "$.benchmarks[0].extra_info.variant"),
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


def test_spoiled_files_are_refused_or_shown() -> None:
    """Some hundred files of every kind, spoiled at random: each is refused by name or shown safely, and there are some of both."""
    counts = feed(600, seed=1)
    assert [one.failures for one in counts.values()] == [[]] * len(READERS)
    assert sum(one.files for one in counts.values()) == 600
    for one in counts.values():
        assert one.refused + one.shown == one.files
        assert one.refused > one.files / 10
        assert one.shown > 0


def crashing(_: Path) -> list[Any]:
    """A reader that takes every file for a good one."""
    raise KeyError("benchmarks")


@pytest.mark.parametrize(
    ("show", "failure"),
    [
        (crashing, "KeyError: 'benchmarks'"),
        (lambda _: [("markdown", "<b>")], "shown with markup"),
        (lambda _: [("terminal", "\x1b[2J")], "shown with a line that is not printable"),
        (lambda _: [("csv", "a,b\n=1,2\n")], "shown with a formula"),
        (lambda _: [("csv", "a,b\n1\n")], "shown with CSV whose lines differ"),
        (lambda _: [("json", "[NaN]")], "shown with JSON that others cannot read"),
        (lambda _: [("markdown", "| a | b |\n| c |\n")], "shown with a table whose lines differ"),
        (lambda _: [("markdown", "| a | b |\n| `c|d` | e |\n")], "shown with a table whose lines differ"),
        (lambda _: [("markdown", "[x](javascript:x)")], "shown with a foreign link"),
        (lambda _: [("markdown", "`a\\``b`")], "shown with a code span without an end"),
        (lambda _: [("markdown", "\\`<b>`")], "shown with markup"),
        (lambda place: records.read(place / "another-cpu.json"), "a message that does not name the file"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_goes_wrong_with_a_file_is_told(show: Any, failure: str, tmp_path: Path) -> None:  # noqa: ANN401 — a lambda
    """A reader that crashes, shows what takes effect, or does not name the file is caught, and the file is kept."""
    bad = Reader("bad", "bad-cpu.json", real_evidence, (), show)
    count = feed(2, readers=[bad], keep=tmp_path)["bad"]
    assert (count.files, count.failed) == (2, 2)
    assert count.failures[1].startswith(f"file 1: {failure}")
    assert {path.name for path in tmp_path.iterdir()} == {"0-bad-cpu.json", "1-bad-cpu.json"}
