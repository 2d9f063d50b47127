"""How long what people wait for takes on this machine, beside what it should take at most: `python -m tests.times`; exit 1 beyond that.

Kept out of the tests, as none of them may depend on how fast a machine is, or on what else runs there.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tabulate import tabulate

from bench.evidence import records
from bench.evidence.machine import Machine
from bench.report import folder
from bench.report.page import writer
from targetrl_core import Population
from tests.some_evidence import evidence, row
from tests.synthetic import large_set

ROOT = Path(__file__).parent.parent
ATTEMPTS = 3
"""Of which the quickest counts: what else runs only adds."""


class Wait(NamedTuple):
    """Something that people wait for: the seconds it took in a folder of its own, and those it should take at most on two cores."""

    name: str
    most_seconds: float
    seconds: Callable[[Path], float]


def _timed(run: Callable[[], object]) -> float:
    begun = time.perf_counter()
    run()
    return time.perf_counter() - begun


def _command(*arguments: str) -> float:
    return _timed(lambda: subprocess.run([sys.executable, "-m", *arguments], cwd=ROOT, check=True, capture_output=True))


def _compare(place: Path) -> float:
    large_set(place)
    return _command("bench", "compare", *map(str, place.iterdir()))


def _rounds(place: Path) -> float:
    path = place / "long-cpu.json"
    path.write_text(json.dumps(evidence(absent=[]) | {"benchmarks": [row("v", 1, [0.1 + i * 1e-9 for i in range(100_000)])]}))
    return _timed(lambda: folder.text([Machine(records.read(path))]))


def _report(place: Path) -> float:
    """Tables, pictures and a page of 5,000 rows."""
    large_set(place)
    return _timed(lambda: folder.write(place))


def _page(place: Path) -> float:
    """From asking a browser for the page of 5,000 rows to its first plot and table."""
    from playwright.sync_api import sync_playwright

    from tests.test_page_in_a_browser import Tab, program

    large_set(place)
    page = place / "large.html"
    page.write_text(writer.html(folder.read(place)), encoding="utf-8")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program(), args=["--no-sandbox"])
        opened = Tab(browser.new_page(viewport={"width": 1280, "height": 900})).open(page.as_uri())
        return int(opened.evaluate("document.documentElement.dataset.ready")) / 1000


WAITS = (
    Wait("targetrl --help", 0.5, lambda _: _command("targetrl_core.cli", "--help")),
    Wait("a million starts", 2.0, lambda _: _timed(lambda: Population.initialise(1_000_000))),
    Wait("compare, 10 files of 500 rows", 6.0, _compare),
    Wait("the interval of 100,000 rounds", 1.0, _rounds),
    Wait("report, 10 files of 500 rows", 5.0, _report),
    Wait("the page of 10 files of 500 rows, until it can be used", 1.5, _page),
)


def main(waits: tuple[Wait, ...]) -> int:
    """Time each, and print what came of it; 1 where one took longer than it should."""
    lines, late = [], 0
    for wait in waits:
        took = min(_in_a_folder(wait.seconds) for _ in range(ATTEMPTS))
        lines.append([wait.name, f"{took:.2f}", f"{wait.most_seconds:.2f}"])
        late += took > wait.most_seconds
    print(tabulate(lines, headers=["", "seconds", "at most"]))  # noqa: T201 — a command prints
    return int(late > 0)


def _in_a_folder(seconds: Callable[[Path], float]) -> float:
    with tempfile.TemporaryDirectory() as place:
        return seconds(Path(place))


if __name__ == "__main__":
    from tests.test_page_in_a_browser import why_not

    sys.exit(main(tuple(wait for wait in WAITS if wait.seconds is not _page or why_not() is None)))
