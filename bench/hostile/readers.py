"""What reads files of strangers, and what it makes of them. Another reader is another entry of ``READERS``."""

import json
import re
from collections.abc import Callable, Iterable
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from bench.comparison import columns, listing, page
from bench.comparison.style import MARKDOWN, TERMINAL
from bench.evidence import records
from bench.evidence.machine import Machine
from bench.hostile.safe import Form
from bench.report import folder, front, listing_csv
from bench.report.diagram import diagram
from bench.report.page import sentences
from bench.report.page.data.courses import courses, outcome_maps
from bench.report.reach import reach_section
from bench.report.unrolling import unrolling_section
from bench.report.verdicts import verdicts_section
from bench.trajectories import evidence as trajectories

if TYPE_CHECKING:
    from targetrl_core.streaming import Plan

Shown = Iterable[tuple[Form, str]]
"""Texts, and the form of each."""

KNOWN = Path(__file__).parents[2] / "tests" / "evidence"
"""Files that runs left once: what lies in results/ is that of whoever measured last."""

MACHINE = "amd-epyc-2c-cpu"
GOOD_FILE = "good-cpu.json"
"""The good file that a bad one is compared with; it lies in the same folder."""

CHECKPOINT = "shard-0-of-1-a.json"

START, END = "<!-- made by python -m bench report: ", "<!-- end -->\n"
FRONT = "".join(f"{START}{name} -->\n{END}" for name in front.BLOCKS)


class Reader(NamedTuple):
    """One kind of file.

    Attributes:
        name: what it is called in the table.
        file: what a file of this kind is called.
        known: a real file's content, shortened.
        roots: where in it changes are made, the rest being pytest-benchmark's own; everywhere where there is none.
        show: everything that is made of the file in a folder; raises UsageError where it is refused.
        pack: makes the file of a spoiled content, where it is more than that: with its digest put right, say.
        turns: how often it has its turn, for once that others have.
    """

    name: str
    file: str
    known: Callable[[], Any]
    roots: tuple[str, ...]
    show: Callable[[Path], Shown]
    pack: Callable[[bytes], bytes] = bytes
    turns: int = 1


def real_evidence() -> dict[str, Any]:
    """A committed evidence file, shortened: every question, few rounds, some rows without a number."""
    content: dict[str, Any] = _real("")
    content["benchmarks"] = content["benchmarks"][::5]
    for one in content["benchmarks"]:
        one["stats"]["data"] = one["stats"]["data"][:3]
    content["targetrl"]["absent"] = content["targetrl"]["absent"][::9]
    content["machine_info"]["cpu"].pop("flags")
    return content


def all_texts(path: Path, real: Path) -> Shown:
    """Everything that is made of an evidence file: report, front page, CSV, and each output of a comparison with a real file."""
    machine = Machine(records.read(path))
    blocks = front.with_blocks(FRONT, machine).replace(END, "")
    yield "markdown", folder.text([machine])
    yield "markdown", "\n".join(diagram(machine))
    yield "markdown", re.sub(f"(?m)^{START}\\w+ -->$", "", blocks)
    yield "csv", listing_csv.text([machine])
    for paths in ([path, real], [real, path]):
        compared = columns.read(paths, mixed_commits=True)
        yield "markdown", page.text(compared, MARKDOWN)
        yield "terminal", page.text(compared, TERMINAL)
        yield "csv", listing.as_csv(compared)
        yield "json", listing.as_json(compared)


def _real(suffix: str) -> Any:  # noqa: ANN401 — any JSON value
    return json.loads((KNOWN / f"{MACHINE}{suffix}.json").read_text(encoding="utf-8"))


def _few_rows() -> dict[str, Any]:
    """Fewer still, one of each question and some more: a hundred thousand of them are to be shown."""
    content = real_evidence()
    last = {one["extra_info"]["question"]: one for one in content["benchmarks"]}
    content["benchmarks"] = [*content["benchmarks"][:2], *(one for one in last.values() if one not in content["benchmarks"][:2])]
    content["targetrl"]["work"] = content["targetrl"]["work"][:2]
    for one in content["benchmarks"]:
        for process in one["extra_info"].get("processes", []):
            process["steady_seconds"] = process["steady_seconds"][:2]
    return content


def _sweep() -> Any:  # noqa: ANN401 — any JSON value
    content = _real("-sweep")
    content["benchmarks"] = content["benchmarks"][:4]
    for one in content["benchmarks"]:
        one["stats"]["data"] = one["stats"]["data"][:3]
    return content


def _trials() -> Any:  # noqa: ANN401 — any JSON value
    content = _real("-verdicts")
    content["trials"] = content["trials"][:4]
    return content


def _trajectories() -> Any:  # noqa: ANN401 — any JSON value
    """One course of two policies and two steps by two variants, and a map of three by three."""
    content = _real("-trajectories")
    course, drawn = content["courses"][0], content["maps"][0]
    course |= {"steps": 2, "seeds": course["seeds"][:2], "ambiguous": course["ambiguous"][:2], "oracle": _corner(course["oracle"], 2, 3)}
    course["variants"] = {name: _corner(outputs, 2, 3) for name, outputs in list(course["variants"].items())[:2]}
    drawn |= {"logits": drawn["logits"][:3], "rates": drawn["rates"][:3]}
    drawn |= {"outputs": _corner(drawn["outputs"], 3, 3), "outcomes": _corner(drawn["outcomes"], 3, 3)}
    return content | {"courses": [course], "maps": [drawn]}


def _corner(table: list[list[Any]], rows: int, length: int) -> list[list[Any]]:
    return [row[:length] for row in table[:rows]]


def _bounds() -> Any:  # noqa: ANN401 — any JSON value
    return json.loads((KNOWN / "bounds.json").read_text(encoding="utf-8"))


def _show_evidence(place: Path) -> Shown:
    return all_texts(place / "bad-cpu.json", place / GOOD_FILE)


def _show_trajectories(place: Path) -> Shown:
    found = trajectories.read_all(place)
    yield "json", json.dumps([one for each in found for one in (*courses(each), *outcome_maps(each))], allow_nan=True)
    yield "terminal", sentences.of_courses(found)
    yield "terminal", sentences.of_maps(found)


def _show_checkpoint(place: Path) -> Shown:
    from targetrl_core.checkpoint.content import read
    from targetrl_core.report import summary_lines

    plan = _plan()
    summary = read(place / CHECKPOINT, plan, range(plan.n))
    return [("terminal", line) for line in summary_lines(summary)] if summary is not None else []


def _checkpoint() -> Any:  # noqa: ANN401 — any JSON value
    from targetrl_core.checkpoint.content import encode

    plan = _plan()
    return json.loads(encode(plan, range(plan.n), next(iter(plan.train(range(plan.n))))).splitlines()[1])


@cache
def _plan() -> "Plan":
    """The run whose checkpoint is read: of 1,000 policies, of which the first chunk of 400 is trained."""
    from targetrl_core import Problem
    from targetrl_core.streaming import plan

    return plan(Problem(steps=5), 1000, variant="batched", chunk=400)


def _with_digest(body: bytes) -> bytes:
    """A checkpoint whose body has the digest that its head says: what an enemy can write, and damage cannot."""
    head = {"targetrl": "checkpoint", "version": 1, "sha256": sha256(body).hexdigest()}
    return json.dumps(head).encode() + b"\n" + body + b"\n"


READERS = (
    Reader("evidence", "bad-cpu.json", _few_rows, ("benchmarks", "targetrl"), _show_evidence, turns=6),
    Reader("sweep", "bad-cpu-sweep.json", _sweep, ("benchmarks", "targetrl"), lambda at: [("markdown", "\n".join(unrolling_section(at)))]),
    Reader("verdicts", "bad-cpu-verdicts.json", _trials, (), lambda at: [("markdown", "\n".join(verdicts_section(at)))]),
    Reader("trajectories", "bad-cpu-trajectories.json", _trajectories, (), _show_trajectories),
    Reader("bounds", "bounds.json", _bounds, (), lambda at: [("markdown", "\n".join(reach_section(at)))]),
    Reader("checkpoint", CHECKPOINT, _checkpoint, (), _show_checkpoint, pack=_with_digest),
)
