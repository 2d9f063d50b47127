"""The page in a real browser: it draws, sorts, filters, recommends and keeps its view, on a phone and a desk, for whoever uses it.

Skipped where there is no Chromium; with TARGETRL_BROWSER=required that is a failure. Screenshots are left in screenshots/.
"""

import json
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

from bench.cost.advice import advise
from bench.cost.candidates import Wanted
from bench.evidence.machine import Machine
from bench.report import folder
from bench.report.page import rows, writer
from targetrl_core.errors import UsageError
from tests.some_evidence import EVIDENCE
from tests.some_evidence import row as timed
from tests.synthetic import large_set
from tests.test_page import hostile
from tests.test_recommend import content, without

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Dialog, Page

ROOT = Path(__file__).parent.parent
SHOTS = ROOT / "screenshots"
PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SHAPES = {"phone": (360, 740), "desktop": (1280, 900)}
SCHEMES: "dict[Literal['light', 'dark'], tuple[str, str]]" = {
    "light": ("rgb(255, 255, 255)", "rgb(27, 31, 36)"),
    "dark": ("rgb(15, 19, 24)", "rgb(230, 237, 243)"),
}
"""Ground and ink."""

LOOKED_AT = {("real", size, scheme) for size in SHAPES for scheme in SCHEMES} | {("large", "phone", "light"), ("large", "desktop", "dark")}
"""By axe, and in screenshots: what is large takes its time, and its colours are those of what is small."""


def program() -> str | None:
    """The browser to use: the one that the environment names, or one on the path."""
    return os.environ.get("TARGETRL_CHROMIUM") or next(filter(None, map(shutil.which, PROGRAMS)), None)


def why_not() -> str | None:
    """Why no browser can be used here."""
    missing = [name for name in ("playwright", "axe_playwright_python") if find_spec(name) is None]
    if missing:
        return f"{', '.join(missing)} is missing: pip install 'targetrl[dev]'"
    return None if program() else f"none of {', '.join(PROGRAMS)} is on the path, and TARGETRL_CHROMIUM names none"


pytestmark = pytest.mark.skipif(why_not() is not None and os.environ.get("TARGETRL_BROWSER") != "required", reason=why_not() or "")


HOSTILE = ("<img src=x onerror=alert(1)>", "</script><script>alert(1)</script>", "&lt;b&gt;<b>x</b>")


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """Chromium, without a window."""
    reason = why_not()
    if reason is not None:
        pytest.fail(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # In a container there is one user, root, whom Chromium's sandbox does not take.
        yield playwright.chromium.launch(executable_path=program(), args=["--no-sandbox"])


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Machine]]:
    """The committed evidence, a large set, and hostile files."""
    place = tmp_path_factory.mktemp("evidence")
    for name in ("large", "hostile"):
        (place / name).mkdir()
    large_set(place / "large")
    for number, text in enumerate(HOSTILE):
        strange = hostile(text)
        strange["targetrl"]["label"] = f"hostile-{number}"
        strange["targetrl"]["absent"][1]["kind"] = "withheld"
        (place / "hostile" / f"{number}-cpu.json").write_text(json.dumps(strange))
    return {"real": folder.read(EVIDENCE), **{name: folder.read(place / name) for name in ("large", "hostile")}}


@pytest.fixture(scope="module")
def pages(evidence: dict[str, list[Machine]], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The addresses of their pages."""
    place = tmp_path_factory.mktemp("pages")
    for name, machines in evidence.items():
        (place / f"{name}.html").write_text(writer.html(machines), encoding="utf-8")
    return {name: (place / f"{name}.html").as_uri() for name in evidence}


class Tab:
    """A page in a tab; what goes wrong there is kept."""

    def __init__(self, page: "Page") -> None:
        self.page = page
        self.faults: list[str] = []
        page.on("console", lambda message: self.faults.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("dialog", self._dismiss)
        page.on("request", lambda request: None if request.url.startswith(("file:", "data:")) else self.faults.append(request.url))

    def _dismiss(self, dialog: "Dialog") -> None:
        self.faults.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def open(self, address: str) -> "Page":
        """Go there, and wait until the plot is drawn."""
        self.page.goto(address)
        self.page.wait_for_selector("html[data-ready]", timeout=60_000)
        return self.page


class Desk:
    """A tab on a desk for each page, opened once; whoever asks for it has it as at first."""

    def __init__(self, browser: "Browser", pages: dict[str, str]) -> None:
        self.browser, self.pages = browser, pages
        self.tabs: dict[str, Tab] = {}

    def show(self, name: str) -> "Page":
        """The page of that name, in which nothing is chosen, searched or sorted."""
        if name not in self.tabs:
            context = self.browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
            self.tabs[name] = Tab(context.new_page())
            self.tabs[name].open(self.pages[name])
        page = self.tabs[name].page
        page.evaluate("scrollTo(0, 0); document.activeElement.blur(); document.getElementById('again').click()")
        page.mouse.move(0, 0)
        settle(page)
        return page


@pytest.fixture(scope="module")
def opened(browser: "Browser", pages: dict[str, str]) -> Desk:
    """The tabs."""
    return Desk(browser, pages)


@pytest.fixture
def desk(opened: Desk) -> Iterator[Desk]:
    """The tabs, in which nothing may go wrong."""
    yield opened
    assert not [fault for tab in opened.tabs.values() for fault in tab.faults]


def symbols(page: "Page") -> int:
    """How many points the plot has."""
    return page.locator(".chart .mark-symbol path").count()


def table_rows(page: "Page") -> list[list[str]]:
    """What stands in the table of rows."""
    return lines_of(page, "#rows-table")


def lines_of(page: "Page", table: str) -> list[list[str]]:
    """The cells of a table, without its head."""
    texts = "all => all.map((row) => [...row.cells].map((cell) => cell.innerText.trim()))"
    lines: list[list[str]] = page.locator(f"{table} tbody tr").evaluate_all(texts)
    return lines


def headings(page: "Page") -> list[str]:
    """What stands above the columns that the table of rows shows."""
    return [name.strip(" ▲▼\n") for name in page.locator("#rows-table thead th:visible").all_inner_texts()]


def settle(page: "Page") -> None:
    """Wait until what was changed is drawn, and stands in the address."""
    page.wait_for_selector("html:not([data-busy]):not([data-keeping])", state="attached", timeout=60_000)


@pytest.mark.parametrize("name", ["real", "large", "hostile"])
def test_it_opens_whole_fits_and_is_for_everyone(name: str, browser: "Browser", pages: dict[str, str]) -> None:
    """On a phone and a desk, light and dark: no error, no request, nothing wider than the screen, and axe finds nothing.

    Names, roles, contrast, focus and order are such that everyone can use the page; the plot's ink is the page's.
    """
    from axe_playwright_python.sync_playwright import Axe

    SHOTS.mkdir(exist_ok=True)
    tab = Tab(browser.new_page(viewport={"width": 360, "height": 740}, reduced_motion="reduce"))
    page = tab.open(pages[name])
    assert not page.locator("#controls").evaluate("element => element.open")
    page.evaluate("document.getElementById('controls').open = true")
    for size, (width, height) in SHAPES.items():
        page.set_viewport_size({"width": width, "height": height})
        for scheme, (ground, ink) in SCHEMES.items():
            page.emulate_media(color_scheme=scheme)
            settle(page)
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert page.evaluate("getComputedStyle(document.body).backgroundColor") == ground
            for place, style in (("body", "color"), (".chart .role-axis-label text", "fill")):
                assert page.evaluate(f"getComputedStyle(document.querySelector('{place}')).{style}") == ink
            if (name, size, scheme) in LOOKED_AT:
                page.screenshot(path=SHOTS / f"{name}-{size}-{scheme}.png", full_page=True)
                results = Axe().run(page)
                assert results.violations_count == 0, results.generate_report()
    page.context.close()
    assert not tab.faults


def test_tables_sort_and_filter(desk: Desk) -> None:
    """A click on a heading sorts by its numbers, a text and a status leave the rows that have them."""
    page = desk.show("large")
    speed = page.locator("#rows-table thead button", has_text="policy-steps/s")
    for direction in ("ascending", "descending"):
        speed.click()
        page.wait_for_selector(f"#rows-table th[aria-sort={direction}]")
    assert " G [" in table_rows(page)[0][headings(page).index("policy-steps/s")]
    page.fill("input[name=search]", "variant-c portable")
    variant, arithmetic = headings(page).index("variant"), headings(page).index("arithmetic")
    assert {(row[variant], row[arithmetic]) for row in table_rows(page)} == {("variant-c", "portable")}
    page.fill("input[name=search]", "")
    page.select_option("select[name=status]", "not measured")
    status, reason = headings(page).index("status"), headings(page).index("reason")
    assert all(row[status] == "not measured" and row[reason].startswith("memory does not hold") for row in table_rows(page))


def test_numbers_are_found_with_and_without_commas(desk: Desk) -> None:
    """Who looks for 1000000 finds the rows that show 1,000,000, as does who looks for that."""
    page = desk.show("real")
    counts = []
    for text in ("1000000", "1,000,000"):
        page.fill("input[name=search]", text)
        assert {row[headings(page).index("N")] for row in table_rows(page)} == {"1,000,000"}
        counts.append(page.locator("#count").inner_text())
    assert counts[0] == counts[1]


def test_empty_columns_are_not_shown(desk: Desk) -> None:
    """A column in which no row that is shown has anything is left out, and comes back with those that fill it, below its heading."""
    page = desk.show("real")
    assert {"policy-steps/s", "cache", "reason"} <= set(headings(page))
    page.select_option("select[name=status]", "not measured")
    assert "policy-steps/s" not in headings(page)
    page.select_option("select[name=status]", "measured")
    assert "policy-steps/s" in headings(page)
    assert "reason" not in headings(page)
    page.fill("input[name=search]", "construction")  # trains nothing: none of its rows has a variant
    settle(page)
    assert {len(cells) for cells in table_rows(page)} == {len(headings(page))}
    assert all(cells[headings(page).index("question")] == "construction" for cells in table_rows(page))


def test_more_rows_are_shown_when_asked_for(desk: Desk) -> None:
    """At first as many rows as are read at once; a click brings more, and there is no more to click where all are there."""
    page = desk.show("real")
    count = page.locator("#count").inner_text().partition(", ")[2].partition(" ")[0]
    assert len(table_rows(page)) == 25 < int(count) < 275
    page.click("#more")
    assert len(table_rows(page)) == int(count)
    assert not page.locator("#more").is_visible()


def test_the_name_of_a_row_stays_in_sight(desk: Desk) -> None:
    """What scrolls sideways can be reached and is named; its first column stays."""
    page = desk.show("real")
    region = page.get_by_role("region", name="Table: all rows")
    assert region.evaluate("region => region.tabIndex === 0 && region.scrollWidth > region.clientWidth")
    left = "region => region.querySelector('tbody th').getBoundingClientRect().x"
    before = region.evaluate(left)
    region.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("region => region.scrollLeft > 0", arg=region.element_handle())
    assert region.evaluate(left) == before


def test_variants_and_devices_are_toggled(desk: Desk) -> None:
    """Without a variant or a device its points, key, rows, cold starts and cards are gone, and the count says so."""
    page = desk.show("large")
    before, count = symbols(page), page.locator("#count").inner_text()
    assert count == "3 of 10 devices, 1,500 of 5,000 rows"
    assert before == 3 * 10 * 5
    shown = page.locator("#throughput .legend li:visible")
    names = [f"variant-{letter}" for letter in "abcdefghij"]
    assert [name.strip() for name in shown.all_inner_texts()] == [*names, "machine-0, cpu", "machine-1, cuda", "machine-2, mps"]
    assert page.locator("#starts tbody tr:visible").count() == 3 * 10 * 2
    page.uncheck("input[name=variant][value=variant-a]")
    settle(page)
    assert symbols(page) == 3 * 9 * 5
    page.uncheck("input[name=machine][value^=machine-1]")
    settle(page)
    assert symbols(page) == 2 * 9 * 5
    assert [name.strip() for name in shown.all_inner_texts()] == [*names[1:], "machine-0, cpu", "machine-2, mps"]
    assert page.locator("#starts tbody tr:visible").count() == 2 * 9 * 2
    assert page.locator(".card:visible").count() == 2
    page.click("[data-every=machine]")
    settle(page)
    assert page.locator(".card:visible").count() == 10
    page.click("[data-none=variant]")
    settle(page)
    assert page.locator(".chart.empty").count() == 1
    page.click("#again")
    settle(page)
    assert page.locator("#count").inner_text() == count
    assert symbols(page) == before


def test_lines_tell_devices_apart(desk: Desk) -> None:
    """Where devices are chosen stand the lines that they have in the plot, each its own."""
    page = desk.show("large")
    page.uncheck("input[name=machine][value^=machine-1]")
    settle(page)
    dashes = "all => all.map((path) => path.getAttribute('stroke-dasharray'))"
    chosen = page.locator("label:has(input[name=machine]) .dash path").evaluate_all(dashes)
    assert len(set(chosen)) == 10
    drawn = page.locator("#throughput .mark-line path").evaluate_all(dashes)
    assert {(dash or "1,0").replace(",", " ") for dash in drawn} == {chosen[0], chosen[2]}


def test_intervals_lie_upon_the_points(desk: Desk) -> None:
    """Each point that has an interval has a bar with two ends above it, and is still what the mouse points at."""
    plot = desk.show("real").locator(".chart")
    groups = plot.locator("[class*=role-mark]").evaluate_all("all => all.map((group) => group.getAttribute('class').split(' ')[0])")
    assert groups.index("mark-rule") > groups.index("mark-symbol")
    bars, ends = (plot.locator(f".mark-{kind}.role-mark > *").count() for kind in ("rule", "rect"))
    assert ends == 2 * bars
    assert bars > 0


WAYS = """([ways, wishes]) => wishes.map((wish) => recommend(ways, wish).map(
    ({ machine, variant, seconds, identity, absence, remarks }) => [machine, variant, seconds, identity, absence ?? null, remarks]))"""


def in_the_page(page: "Page", machines: Sequence[Machine], wishes: Sequence[Wanted]) -> list[list[list[Any]]]:
    """What the page's rule says of some evidence; that a time is interpolated it says too."""
    ways = [way for machine in machines for way in rows.ways(machine)]
    ranked: list[list[list[Any]]] = page.evaluate(WAYS, [ways, [wish._asdict() for wish in wishes]])
    return [[[*way[:-1], [text for text in way[-1] if not text.startswith("interpolated")]] for way in wish] for wish in ranked]


def in_python(machines: Sequence[Machine], wish: Wanted) -> list[list[Any]]:
    """What `python -m bench recommend` says."""
    try:
        choices = advise(machines, wish).choices
    except UsageError:
        return []
    return [
        [f"{choice.label}, {choice.device}", choice.variant, choice.seconds, choice.identity, choice.absence, choice.remarks]
        for choice in choices
    ]


def planted(place: Path) -> list[Machine]:
    """Evidence with a variant that was withheld, one that cannot train, one of too many policies, one row, and growth with steps."""
    some = content(absent=[without("memory is short", "detached", 10**7), without("it cannot", "reinforce", 100)])
    withheld = without("wrong", "pathwise", 100)
    some["targetrl"]["absent"].append(withheld | {"kind": "withheld", "cell": withheld["cell"] | {"variant": "eager"}})
    some["benchmarks"] += [timed("batched", 10_000, [0.05] * 7, objective="reinforce"), timed("batched", 10_000, [0.4] * 7, steps=800)]
    some["benchmarks"] += [timed("batched", 100, [0.001 + 1e-4 * steps] * 7, steps=steps, question="growth with steps") for steps in (1, 9)]
    (place / "some-cpu.json").write_text(json.dumps(some))
    return folder.read(place)


def test_the_page_recommends_as_the_command_does(desk: Desk, evidence: dict[str, list[Machine]], tmp_path: Path) -> None:
    """For many N and steps the ranking is that of `python -m bench recommend`, seconds to 1e-9, reasons and remarks included."""
    page = desk.show("real")
    wishes = [
        Wanted(policies, steps, objective, arithmetic, cold=False)
        for policies in (1, 7, 100, 5_000, 1_000_000, 30_000_000)
        for steps in (1, 50, 120, 3_000)
        for objective in ("detached", "pathwise", "reinforce")
        for arithmetic in ("native", "portable")
    ]
    for machines in (evidence["real"], evidence["large"][:3], planted(tmp_path)):
        for wish, ways in zip(wishes, in_the_page(page, machines, wishes), strict=True):
            expected = in_python(machines, wish)
            assert [way[:2] + way[3:] for way in ways] == [way[:2] + way[3:] for way in expected], wish
            assert [way[2] for way in ways] == pytest.approx([way[2] for way in expected], rel=1e-9, abs=0), wish


def choices(page: "Page") -> list[list[str]]:
    """What stands in the table of predictions: variant, time, times the fastest, device, identity, remarks."""
    return lines_of(page, "#choices")


def test_n_and_steps_are_put_in(desk: Desk) -> None:
    """A number in any way of writing is ranked for, fastest first, with where its time is from; what is no number says so."""
    page = desk.show("real")
    assert choices(page)[0][0] == "fused"
    page.fill("input[name=policies]", "5e3")
    between = choices(page)
    assert all("interpolated from N = 100 and 10,000" in line[-1] for line in between if line[0] not in ("eager", "compiled"))
    ratios = [float(line[2].replace(",", "")) for line in between]
    assert ratios == sorted(ratios)
    page.fill("input[name=policies]", "5_000")
    assert choices(page) == between
    page.fill("input[name=policies]", "5,000,000")
    page.fill("input[name=steps]", "100")
    assert "extrapolated from N = 1,000,000; from 50 steps" in choices(page)[0][-1]
    answer = page.locator("#answer")
    assert re.match(r"fused: [\d.]+ m?s, [\d.]+ × as fast as numba\.$", answer.inner_text())
    page.uncheck("input[name=variant][value=fused]")
    assert answer.inner_text().startswith("numba: ")
    for wrong in ("", "0", "1.5", "many", "1e16", "-3"):
        page.fill("input[name=policies]", wrong)
        assert answer.inner_text() == "N and steps must be whole numbers from 1 to 1e15, as 10000 or 1e6."
        assert page.get_attribute("input[name=policies]", "aria-invalid") == "true"
        assert not page.locator("#choices").is_visible()
    page.fill("input[name=policies]", "1")
    page.click("[data-none=variant]")
    assert answer.inner_text() == "No row of what is shown tells of that."


def test_a_link_keeps_the_view(desk: Desk) -> None:
    """What is chosen, put in and searched for stands in the address, and another tab that opens it shows the same."""
    page = desk.show("large")
    page.select_option("select[name=problem]", "pathwise, portable arithmetic, 200 steps")
    page.fill("input[name=policies]", "12,345")
    page.uncheck("input[name=variant][value=variant-b]")
    page.fill("input[name=search]", "portable")
    settle(page)
    assert "problem=pathwise%2C+portable+arithmetic%2C+200+steps" in page.url
    assert "search=portable" in page.url
    other = Tab(page.context.new_page()).open(page.url)
    settle(other)
    assert other.url == page.url
    assert symbols(other) == symbols(page)
    for look in (table_rows, choices):
        assert look(other) == look(page)
    other.click("#again")
    settle(other)
    assert other.url.endswith("/large.html")
    other.close()


def test_a_link_to_a_part_stays_one(desk: Desk, pages: dict[str, str]) -> None:
    """Who comes by the address of a part is there, and keeps that address, whatever is shown."""
    page = desk.show("real")
    page.evaluate("location.hash = 'devices'")
    page.wait_for_function("() => document.activeElement.id === 'devices'")
    assert page.url == pages["real"] + "#devices"
    page.fill("input[name=steps]", "7")
    settle(page)
    assert page.url.startswith(pages["real"] + "?")
    assert page.url.endswith("#devices")
    page.evaluate("location.hash = ''")


def test_an_address_of_a_stranger_does_no_harm(browser: "Browser", pages: dict[str, str]) -> None:
    """Values that the page does not have are ignored, and text is searched for as text."""
    tab = Tab(browser.new_page(reduced_motion="reduce"))
    page = tab.open(pages["real"] + "?problem=<b>&policies=x&status=<img src=x>&machine=<b>&search=<img src=x>#<b>")
    assert page.input_value("select[name=status]") == ""
    assert page.input_value("input[name=search]") == "<img src=x>"
    assert page.locator("main img").count() == 0
    assert "must be whole numbers" in page.locator("#answer").inner_text()
    page.context.close()
    assert not tab.faults


def test_a_finger_scrolls_and_taps(browser: "Browser", pages: dict[str, str]) -> None:
    """A swipe over the plot scrolls the page; a tap on a mark shows its values, and one elsewhere hides them."""
    width, height = SHAPES["phone"]
    context = browser.new_context(viewport={"width": width, "height": height}, has_touch=True, is_mobile=True, reduced_motion="reduce")
    tab = Tab(context.new_page())
    page = tab.open(pages["real"])
    plot = page.locator(".chart")
    plot.scroll_into_view_if_needed()
    box, before, touches = plot.bounding_box(), page.evaluate("scrollY"), context.new_cdp_session(page)
    assert box is not None
    finger = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
    touches.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [finger]})
    for moved in range(0, 160, 10):
        touches.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [finger | {"y": finger["y"] - moved}]})
    touches.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    page.wait_for_function("before => scrollY > before + 50", arg=before)
    page.wait_for_function("() => new Promise((resolve) => { const y = scrollY; setTimeout(() => resolve(y === scrollY), 100); })")
    plot.scroll_into_view_if_needed()
    mark = plot.locator(".mark-symbol path").last.bounding_box()
    assert mark is not None
    page.touchscreen.tap(mark["x"] + mark["width"] / 2, mark["y"] + mark["height"] / 2)
    page.wait_for_selector("#tooltip.visible")
    assert "policy-steps/s" in page.locator("#tooltip").inner_text()
    page.touchscreen.tap(mark["x"] - 100, 10)
    page.wait_for_selector("#tooltip:not(.visible)", state="attached")
    context.close()
    assert not tab.faults


def test_a_point_tells_its_values(desk: Desk) -> None:
    """Pointing at a mark shows the variant, the speed with its interval, and the identity."""
    page = desk.show("real")
    page.locator(".chart .mark-symbol path").last.hover()
    page.wait_for_selector("#tooltip.visible")
    text = page.locator("#tooltip").inner_text()
    assert re.search(r"policy-steps/s\s*:?\s*[\d.]+ [kMG]", text)
    assert "bounded" in text or "bitwise" in text


def test_hostile_text_is_text(desk: Desk) -> None:
    """Markup in files stands as text in the choice, the tables, the cards and the tips of the plot; no script of it runs."""
    page = desk.show("hostile")
    for place in ("#devices", "aside"):
        shown = page.locator(place).inner_text()
        assert all(text in shown for text in HOSTILE), place
    assert HOSTILE[0] in page.locator("#rows").inner_text()
    page.select_option("select[name=status]", "withheld")
    assert {row[headings(page).index("status")] for row in table_rows(page)} == {"withheld"}
    assert page.locator("main img").count() == 0
    assert page.locator("body script").count() == 4
    for field in ("problem", "objective"):
        names = page.locator(f"select[name={field}] option").all_inner_texts()
        page.select_option(f"select[name={field}]", index=next(number for number, name in enumerate(names) if HOSTILE[0] in name))
    page.fill("input[name=policies]", "1")
    settle(page)
    assert HOSTILE[0] in page.locator("#choice").inner_text()
    page.locator(".chart .mark-symbol path").last.hover()
    page.wait_for_selector("#tooltip.visible")
    assert HOSTILE[0] in page.locator("#tooltip").inner_text()
    assert page.locator("main img, #tooltip img").count() == 0


def test_the_keyboard_is_enough(desk: Desk) -> None:
    """The first stop leads past everything; boxes, headings and links work without a mouse."""
    page = desk.show("real")
    page.locator(".skip").focus()
    page.keyboard.press("Shift+Tab")
    assert page.evaluate("document.activeElement === document.body")
    page.locator("input[name=variant]").first.focus()
    page.keyboard.press("Space")
    assert not page.locator("input[name=variant]").first.is_checked()
    heading = page.locator("#rows-table thead th", has_text="variant")
    heading.locator("button").focus()
    page.keyboard.press("Enter")
    assert heading.get_attribute("aria-sort") == "ascending"
    page.locator("nav a", has_text="All rows").focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "rows"
    assert page.url.endswith("#rows")
    page.evaluate("location.hash = ''")
