"""The page in a real browser: it draws, sorts, filters and keeps its view, on a phone and a desk, for whoever uses it.

Skipped where there is no Chromium; with TARGETRL_BROWSER=required that is a failure. Screenshots are left in screenshots/.
"""

import json
import os
import re
import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bench.report import folder
from bench.report.page import writer
from bench.trajectories import evidence as trajectories
from tests.some_evidence import EVIDENCE
from tests.synthetic import everywhere, large_set
from tests.test_page import hostile

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Dialog, Page

ROOT = Path(__file__).parent.parent
SHOTS = ROOT / "screenshots"
PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SHAPES = {"phone": (360, 740), "desktop": (1280, 900)}


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
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The addresses of the page of the committed evidence, of a large set, and of hostile files."""
    place = tmp_path_factory.mktemp("pages")
    known = trajectories.read_all(EVIDENCE)
    for name in ("large", "hostile"):
        (place / name).mkdir()
    large_set(place / "large")
    for number, text in enumerate(HOSTILE):
        content = relabelled(hostile(text), f"hostile-{number}")
        content["targetrl"]["absent"][1]["kind"] = "withheld"
        (place / "hostile" / f"{number}-cpu.json").write_text(json.dumps(content))
    made = {
        "real": writer.html(folder.read(EVIDENCE), known),
        "large": writer.html(folder.read(place / "large"), everywhere(known[0])),
        "hostile": writer.html(folder.read(place / "hostile"), ()),
    }
    for name, html in made.items():
        (place / f"{name}.html").write_text(html, encoding="utf-8")
    return {name: (place / f"{name}.html").as_uri() for name in made}


HOSTILE = ("<img src=x onerror=alert(1)>", "</script><script>alert(1)</script>", "&lt;b&gt;<b>x</b>")


def relabelled(content: dict[str, Any], label: str) -> dict[str, Any]:
    """The same evidence of another machine."""
    content["targetrl"]["label"] = label
    return content


class Seen:
    """A page in a tab, once everything is drawn; what went wrong there is kept."""

    def __init__(self, page: "Page") -> None:
        self.page = page
        self.wrong: list[str] = []
        page.on("console", lambda message: self.wrong.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("dialog", self._dismiss)
        page.on("request", lambda request: None if request.url.startswith(("file:", "data:")) else self.wrong.append(request.url))

    def _dismiss(self, dialog: "Dialog") -> None:
        self.wrong.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def open(self, address: str) -> "Page":
        """Go there, and wait until all plots are drawn."""
        self.page.goto(address)
        self.page.wait_for_selector("html[data-complete]", timeout=60_000)
        return self.page


@pytest.fixture
def seen(browser: "Browser") -> Iterator[Seen]:
    """A tab on a desk, in which nothing may go wrong."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    tab = Seen(context.new_page())
    yield tab
    context.close()
    assert not tab.wrong


def symbols(page: "Page", plot: str = "throughput") -> int:
    """How many points a plot has."""
    return page.locator(f'.chart[data-plot="{plot}"] .mark-symbol path').count()


def table_rows(page: "Page") -> list[list[str]]:
    """What stands in the table of rows."""
    return [line.locator("td").all_inner_texts() for line in page.locator("#rows-table tbody tr").all()]


def headings(page: "Page") -> list[str]:
    """What stands above the columns that the table of rows shows."""
    return [name.strip() for name in page.locator("#rows-table thead tr").first.locator("th").all_inner_texts()]


def settle(page: "Page") -> None:
    """Wait until what was changed is drawn, and stands in the address."""
    page.wait_for_selector("html:not([data-busy])", timeout=60_000)
    page.wait_for_timeout(250)


@pytest.mark.parametrize("size", SHAPES)
@pytest.mark.parametrize("name", ["real", "large", "hostile"])
def test_it_opens_whole_and_fits(name: str, size: str, browser: "Browser", pages: dict[str, str]) -> None:
    """No error, no warning, no request, every plot drawn, and nothing wider than the screen."""
    width, height = SHAPES[size]
    context = browser.new_context(viewport={"width": width, "height": height})
    tab = Seen(context.new_page())
    page = tab.open(pages[name])
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    drawn = page.locator(".chart:not(.empty):visible")
    assert drawn.count() == drawn.locator("svg.marks").count() >= 2
    SHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SHOTS / f"{name}-{size}.png", full_page=True)
    context.close()
    assert not tab.wrong


def test_dark_is_dark(browser: "Browser", pages: dict[str, str]) -> None:
    """Who wants it dark gets light text on a dark page, the plots' axes included."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme="dark")
    page = Seen(context.new_page()).open(pages["real"])
    ground, ink, axis = (
        page.evaluate(f"getComputedStyle(document.querySelector('{place}')).{name}").strip()
        for place, name in (("body", "backgroundColor"), ("body", "color"), (".chart .role-axis-label text", "fill"))
    )
    assert ground == "rgb(15, 19, 24)"
    assert ink == axis == "rgb(230, 237, 243)"
    page.screenshot(path=SHOTS / "real-dark.png", full_page=True)
    context.close()


def test_tables_sort_and_filter(seen: Seen, pages: dict[str, str]) -> None:
    """A click on a heading sorts by its numbers, a text and a status leave the rows that have them."""
    page = seen.open(pages["large"])
    speed = page.locator("#rows-table thead th", has_text="policy-steps/s")
    for direction in ("ascending", "descending"):
        speed.click()
        page.wait_for_selector(f"#rows-table th[aria-sort={direction}]")
    fastest = table_rows(page)[0][headings(page).index("policy-steps/s")]
    assert " G [" in fastest
    page.fill("input[name=search]", "variant-c portable")
    settle(page)
    variant, arithmetic = headings(page).index("variant"), headings(page).index("arithmetic")
    assert {(row[variant], row[arithmetic]) for row in table_rows(page)} == {("variant-c", "portable")}
    page.fill("input[name=search]", "")
    page.select_option("select[name=status]", "not measured")
    settle(page)
    status, reason = headings(page).index("status"), headings(page).index("reason")
    assert all(row[status] == "not measured" and row[reason].startswith("memory does not hold") for row in table_rows(page))
    page.fill("input[name=why]", '"1,000,000,000 policies"')
    assert page.locator("#reasons-table tbody tr").count() == 1


def test_numbers_are_found_with_and_without_commas(seen: Seen, pages: dict[str, str]) -> None:
    """Who looks for 1000000 finds the rows that show 1,000,000, as does who looks for that; reasons likewise."""
    page = seen.open(pages["real"])
    found = []
    for text, reason in (("1000000", "100000"), ("1,000,000", "100,000")):
        page.fill("input[name=search]", text)
        page.fill("input[name=why]", reason)
        settle(page)
        assert {row[headings(page).index("N")] for row in table_rows(page)} == {"1,000,000"}
        found.append((page.locator("#count").inner_text(), page.locator("#reasons-table tbody tr").all_inner_texts()))
    assert found[0] == found[1]
    assert len(found[0][1]) == 2


def test_empty_columns_are_not_shown(seen: Seen, pages: dict[str, str]) -> None:
    """A column in which no row that is shown has anything is left out, and comes back with the rows that fill it."""
    page = seen.open(pages["real"])
    assert {"policy-steps/s", "cache", "reason"} <= set(headings(page))
    page.select_option("select[name=status]", "not measured")
    assert "policy-steps/s" not in headings(page)
    page.select_option("select[name=status]", "measured")
    assert "policy-steps/s" in headings(page)
    assert "reason" not in headings(page)


def test_the_name_of_a_row_stays_in_sight(seen: Seen, pages: dict[str, str]) -> None:
    """What scrolls sideways can be reached and is named; its first column stays; what has nothing to scroll is no stop of the keyboard."""
    page = seen.open(pages["real"])
    region = page.get_by_role("region", name="Table: all rows")
    assert region.evaluate("one => one.tabIndex === 0 && one.scrollWidth > one.clientWidth")
    assert page.locator(".wide[tabindex]:has(.dt-container)").count() == 0
    left = "one => one.querySelector('tbody td').getBoundingClientRect().x"
    before = region.evaluate(left)
    region.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(500)
    assert region.evaluate("one => one.scrollLeft") > 0
    assert region.evaluate(left) == before


def test_variants_and_devices_are_toggled(seen: Seen, pages: dict[str, str]) -> None:
    """Without a variant or a label its points, rows and cards are gone, and the count says so."""
    page = seen.open(pages["large"])
    before, rows = symbols(page), page.locator("#count").inner_text()
    assert rows == "3 of 10 devices, 1,500 of 5,000 rows"
    assert before == 3 * 10 * 5
    page.uncheck("input[name=variant][value=variant-a]")
    settle(page)
    assert symbols(page) == 3 * 9 * 5
    page.uncheck("input[name=label][value=machine-1]")
    settle(page)
    assert symbols(page) == 2 * 9 * 5
    assert page.locator(".card:visible").count() == 2
    page.click("[data-every=label]")
    settle(page)
    assert page.locator(".card:visible").count() == 10
    page.click("[data-none=variant]")
    settle(page)
    assert page.locator('.chart[data-plot="throughput"].empty').count() == 1
    page.click("#again")
    settle(page)
    assert page.locator("#count").inner_text() == rows
    assert symbols(page) == before


def test_a_link_keeps_the_view(seen: Seen, pages: dict[str, str]) -> None:
    """What is chosen, searched, sorted and zoomed stands in the address, and another tab that opens it shows the same."""
    page = seen.open(pages["large"])
    page.select_option("select[name=problem]", "pathwise, portable arithmetic, 200 steps")
    page.uncheck("input[name=variant][value=variant-b]")
    page.fill("input[name=search]", "cold")
    page.locator("#rows-table thead th", has_text="of a call").click()
    page.click('#throughput [data-zoom="0.5"]')
    settle(page)
    address = page.url
    assert "problem=pathwise%2C+portable+arithmetic%2C+200+steps" in address
    assert "search=cold" in address
    shown, labels = table_rows(page), page.locator("#throughput .role-axis-label text").all_text_contents()
    other = page.context.new_page()
    other.goto(address)
    other.wait_for_selector("html[data-complete]")
    settle(other)
    assert table_rows(other) == shown
    assert other.locator("#throughput .role-axis-label text").all_text_contents() == labels
    assert symbols(other) == symbols(page)
    assert not other.is_checked("input[name=variant][value=variant-b]")


def test_a_link_keeps_the_tables(seen: Seen, pages: dict[str, str]) -> None:
    """The search for reasons, and the page, the length and the order of both tables are the same in another tab, and gone with the view."""
    page = seen.open(pages["large"])
    page.fill("input[name=why]", "memory")
    page.locator("#reasons-table thead th", has_text="reason").click()
    page.locator("#reasons .dt-length select").select_option("10")
    page.locator("#rows .dt-length select").select_option("50")
    page.locator("#rows .dt-paging button", has_text="3").first.click()
    page.select_option("select[name=policy]", "2")
    settle(page)
    shown, reasons = table_rows(page), page.locator("#reasons-table tbody").inner_text()
    other = page.context.new_page()
    other.goto(page.url)
    other.wait_for_selector("html[data-complete]")
    assert len(shown) == 50
    assert table_rows(other) == shown
    assert other.locator("#reasons-table tbody").inner_text() == reasons
    assert other.input_value("#reasons .dt-length select") == "10"
    assert other.input_value("input[name=why]") == "memory"
    assert other.input_value("select[name=policy]") == "2"
    other.click("#again")
    settle(other)
    assert other.input_value("input[name=why]") == ""
    assert len(table_rows(other)) == 25
    assert "#" not in other.url


def test_a_link_to_a_part_stays_one(seen: Seen, pages: dict[str, str]) -> None:
    """Who comes by the address of a part is there, and keeps that address; an address that names no part is dropped."""
    page = seen.open(pages["real"] + "#reasons")
    settle(page)
    assert page.url.endswith("#reasons")
    assert page.evaluate("document.activeElement.id") == "reasons"
    page.evaluate("location.hash = 'data'")
    settle(page)
    assert "#" not in page.url


def test_an_address_of_a_stranger_does_no_harm(seen: Seen, pages: dict[str, str]) -> None:
    """Values that the page does not have are ignored, and text is searched for as text."""
    page = seen.open(
        pages["real"] + "#problem=<b>&course=x&status=<img src=x>&order=99desc&zoom-throughput=a,b,,&at=data&device=cpu&search=<img src=x>"
    )
    assert page.input_value("select[name=status]") == ""
    assert page.input_value("input[name=search]") == "<img src=x>"
    assert page.locator("main img").count() == 0


def test_plots_zoom_and_come_back(seen: Seen, pages: dict[str, str]) -> None:
    """Buttons narrow the plot and bring it back whole; the wheel does so only while Ctrl is held."""
    page = seen.open(pages["real"])
    labels = page.locator("#throughput .role-axis-label text")
    whole = sorted(labels.all_text_contents())
    page.click('#throughput [data-zoom="0.5"]')
    settle(page)
    assert sorted(labels.all_text_contents()) != whole
    page.click('#throughput [data-zoom="0"]')
    settle(page)
    assert sorted(labels.all_text_contents()) == whole
    page.locator("#throughput .chart").hover()
    page.mouse.wheel(0, 120)
    settle(page)
    assert sorted(labels.all_text_contents()) == whole
    page.locator("#throughput .chart").hover()
    page.keyboard.down("Control")
    page.mouse.wheel(0, -240)
    page.keyboard.up("Control")
    settle(page)
    assert sorted(labels.all_text_contents()) != whole


def test_intervals_lie_upon_the_points(seen: Seen, pages: dict[str, str]) -> None:
    """Each point that has an interval has a bar with two ends above it, and is still what the mouse points at."""
    page = seen.open(pages["real"])
    plot = page.locator('.chart[data-plot="throughput"]')
    groups = plot.locator("[class*=role-mark]").evaluate_all("all => all.map((one) => one.getAttribute('class').split(' ')[0])")
    assert groups.index("mark-rule") > groups.index("mark-symbol")
    bars, ends = (plot.locator(f"[class*=interval_{number}] > *").count() for number in (0, 1))
    assert bars == ends > 0
    assert plot.locator("[class*=interval_2] > *").count() == ends


def test_plots_have_a_key(seen: Seen, pages: dict[str, str]) -> None:
    """Above each plot stand the variants and devices that are in it, with mark and line; so do the lines where devices are chosen."""
    page = seen.open(pages["large"])
    shown = page.locator("#throughput .key li:visible")
    names = [f"variant-{letter}" for letter in "abcdefghij"]
    assert [name.strip() for name in shown.all_inner_texts()] == [*names, "machine-0, cpu", "machine-1, cuda", "machine-2, mps"]
    assert "oracle" in page.locator("#trajectories .key").first.inner_text()
    page.uncheck("input[name=variant][value=variant-a]")
    page.uncheck("input[name=label][value=machine-1]")
    settle(page)
    assert [name.strip() for name in shown.all_inner_texts()] == [*names[1:], "machine-0, cpu", "machine-2, mps"]
    chosen = page.locator("label:has(input[name=label]) .dash path").evaluate_all(
        "all => all.map((one) => one.getAttribute('stroke-dasharray'))"
    )
    assert len(set(chosen)) == 10
    drawn = page.locator("#throughput .mark-line path").evaluate_all("all => all.map((one) => one.getAttribute('stroke-dasharray'))")
    assert {(dash or "1,0").replace(",", " ") for dash in drawn} == {chosen[0], chosen[2]}


def test_cold_starts_name_their_device(seen: Seen, pages: dict[str, str]) -> None:
    """Each chosen device has its cold starts below its name, all of them on one scale."""
    page = seen.open(pages["large"])
    figures = page.locator("#starts figure:visible")
    assert figures.locator("figcaption").all_inner_texts() == ["machine-0, cpu", "machine-1, cuda", "machine-2, mps"]
    scales = {str(figure.locator(".role-axis-label text").all_text_contents()) for figure in figures.all()}
    assert len(scales) == 1
    page.uncheck("input[name=label][value=machine-1]")
    settle(page)
    assert figures.locator("figcaption").all_inner_texts() == ["machine-0, cpu", "machine-2, mps"]


def test_reasons_and_maps_follow_the_choice(seen: Seen, pages: dict[str, str]) -> None:
    """Reasons are counted over the chosen devices and variants, and a map is there while its variant is; the rest says what it is of."""
    page = seen.open(pages["large"])
    assert page.locator("#reasons-table tbody tr").first.locator("td").nth(2).inner_text() == "30"
    page.uncheck("input[name=label][value=machine-1]")
    page.uncheck("input[name=variant][value=variant-b]")
    line = page.locator("#reasons-table tbody tr").first.locator("td").all_inner_texts()
    assert line[2] == "18"
    assert "variant-b" not in line[3]
    assert line[4] == "machine-0, cpu; machine-2, mps"
    page.click("[data-none=variant]")
    assert page.locator("#maps figure:visible").count() == 0
    assert "Sentences tell of everything measured, whatever is chosen" in page.locator("header").inner_text()


def test_one_policy_can_be_looked_at(seen: Seen, pages: dict[str, str]) -> None:
    """Of one policy each variant has one line; distances of all are each variant's furthest, on an axis that labels small ones too."""
    page = seen.open(pages["real"])
    lines = page.locator('.chart[data-plot="trajectories"] .mark-line path')
    assert lines.count() == 6 + 6 * 10
    assert page.locator('.chart[data-plot="distances"] .mark-line path').count() == 10
    assert {"0", "1", "2", "5", "10", "20"} <= set(page.locator('.chart[data-plot="distances"] .role-axis-label text').all_text_contents())
    page.select_option("select[name=policy]", "3")
    settle(page)
    assert lines.count() == 1 + 10
    assert "policy=3" in page.url


def test_plots_have_their_values_as_text(seen: Seen, pages: dict[str, str]) -> None:
    """Where policies end and how far variants are off, and the shares of a map, can be read, of what is chosen."""
    page = seen.open(pages["real"])
    for summary in page.locator("main summary").all():
        summary.click()
    table = page.locator("#trajectories table:visible")
    assert table.count() == 1
    assert table.locator("tbody tr").count() == 11
    assert re.search(r"eager\t0\.\d{5}\t.*\t[\d.]+$", table.locator("tbody tr").nth(1).inner_text().strip())
    page.select_option("select[name=course]", "reinforce, native arithmetic")
    page.uncheck("input[name=variant][value=eager]")
    assert "reinforce" in table.locator("caption").inner_text()
    assert table.locator("tbody tr:visible th").all_inner_texts()[:2] == ["oracle", "compiled"]
    assert re.fullmatch(r"(\d+\.\d%\s*){4}", " ".join(page.locator("#maps tbody tr:visible").first.locator("td").all_inner_texts()))


def test_a_finger_scrolls_and_taps(browser: "Browser", pages: dict[str, str]) -> None:
    """A swipe over a plot scrolls the page and moves no plot; a tap near a mark shows its values, and one elsewhere hides them."""
    width, height = SHAPES["phone"]
    context = browser.new_context(viewport={"width": width, "height": height}, has_touch=True, is_mobile=True, reduced_motion="reduce")
    tab = Seen(context.new_page())
    page = tab.open(pages["real"])
    plot = page.locator('.chart[data-plot="throughput"]')
    plot.scroll_into_view_if_needed()
    box, before, touches = plot.bounding_box(), page.evaluate("scrollY"), context.new_cdp_session(page)
    assert box is not None
    finger = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
    touches.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [finger]})
    for moved in range(0, 160, 10):
        touches.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [finger | {"y": finger["y"] - moved}]})
        page.wait_for_timeout(16)
    touches.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    settle(page)
    assert page.evaluate("scrollY") > before + 50
    assert "#" not in page.url
    mark = plot.locator(".mark-symbol path").last.bounding_box()
    assert mark is not None
    page.touchscreen.tap(mark["x"] + mark["width"] + 4, mark["y"] + mark["height"] + 4)
    page.wait_for_selector("#tooltip.visible")
    assert "policy-steps/s" in page.locator("#tooltip").inner_text()
    page.touchscreen.tap(mark["x"] - 100, 10)
    page.wait_for_selector("#tooltip:not(.visible)", state="attached")
    context.close()
    assert not tab.wrong


def test_a_point_tells_its_values(seen: Seen, pages: dict[str, str]) -> None:
    """Pointing at a mark shows the variant, the speed with its interval, and the identity."""
    page = seen.open(pages["real"])
    page.locator('.chart[data-plot="throughput"] .mark-symbol path').last.hover()
    page.wait_for_selector("#tooltip.visible")
    text = page.locator("#tooltip").inner_text()
    assert re.search(r"policy-steps/s\s*:?\s*[\d.]+ [kMG]", text)
    assert "bounded" in text or "bitwise" in text


def test_hostile_text_is_text(seen: Seen, pages: dict[str, str]) -> None:
    """Markup in files stands as text in the verdict, the tables, the cards and the tips of plots; no script of it runs."""
    page = seen.open(pages["hostile"])
    for place in ("#reasons", "#devices", "aside"):
        shown = page.locator(place).inner_text()
        assert all(text in shown for text in HOSTILE), place
    assert HOSTILE[0] in page.locator("#rows").inner_text()
    assert page.locator("#reasons-table tbody tr").first.locator("td").first.inner_text() == "withheld"
    assert page.locator("main img").count() == 0
    assert page.locator("body script").count() == 4
    page.select_option("select[name=problem]", index=next(
        number for number, name in enumerate(page.locator("select[name=problem] option").all_inner_texts()) if HOSTILE[0] in name
    ))  # fmt: skip
    settle(page)
    page.locator('.chart[data-plot="throughput"] .mark-symbol path').last.hover()
    page.wait_for_selector("#tooltip.visible")
    assert HOSTILE[0] in page.locator("#tooltip").inner_text()
    assert page.locator("#tooltip img").count() == 0


def test_the_keyboard_is_enough(seen: Seen, pages: dict[str, str]) -> None:
    """The first stop leads past everything; boxes, headings, links and zoom work without a mouse."""
    page = seen.open(pages["real"])
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.locator("input[name=variant]").first.focus()
    page.keyboard.press("Space")
    assert not page.locator("input[name=variant]").first.is_checked()
    heading = page.locator("#rows-table thead th", has_text="variant")
    heading.locator("[role=button]").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#rows-table th[aria-sort=ascending]", timeout=5000)
    assert heading.get_attribute("aria-sort") == "ascending"
    page.locator("nav a", has_text="All rows").focus()
    page.keyboard.press("Enter")
    settle(page)
    assert page.evaluate("document.activeElement.id") == "rows"
    assert "at=rows" in page.url


def test_on_paper_it_is_dark_on_light(seen: Seen, pages: dict[str, str]) -> None:
    """Printed, controls are gone and plots remain, in dark ink also where the screen is dark."""
    page = seen.page
    page.emulate_media(color_scheme="dark")
    seen.open(pages["real"])
    page.emulate_media(media="print", color_scheme="dark")
    assert not page.locator("aside").is_visible()
    assert page.locator("#throughput .key li:visible").count() > 5
    assert page.locator('.chart[data-plot="throughput"] svg').is_visible()
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(27, 31, 36)"


@pytest.mark.parametrize(("name", "least", "devices"), [("real", 26, 1), ("large", 101, 3)])  # more than a page of the table, and than any
def test_paper_has_every_row_that_is_shown(name: str, least: int, devices: int, seen: Seen, pages: dict[str, str]) -> None:
    """Printed, both tables have all rows of what is chosen, no wider than a sheet, and values are open; then all is as it was."""
    page = seen.open(pages[name])
    page.locator("#rows .dt-paging button", has_text="2").first.click()
    page.locator("input[name=variant]").first.uncheck()
    page.locator("#rows .dt-paging button", has_text="2").first.click()
    settle(page)
    address, shown = page.url, table_rows(page)
    assert len(shown) == 25
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 1032, "height": 700})  # what a sheet of A4 has within its margins
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    count = re.search(r", ([\d,]+) of", page.locator("#count").text_content() or "")
    assert count is not None
    assert page.locator("#rows-table tbody tr").count() == int(count[1].replace(",", "")) >= least
    assert page.locator("#rows-table").evaluate("one => one.getBoundingClientRect().right") <= 1032
    assert page.locator("#trajectories table:visible").count() == devices
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    page.emulate_media(media="screen")
    settle(page)
    assert (page.url, table_rows(page)) == (address, shown)
    assert page.locator("main details[open]").count() == 0


@pytest.mark.parametrize("name", ["real", "large"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SHAPES)
def test_axe_finds_nothing(size: str, scheme: Any, name: str, browser: "Browser", pages: dict[str, str]) -> None:  # noqa: ANN401 — a literal of playwright's
    """Names, roles, contrast, focus and order are such that everyone can use the page."""
    from axe_playwright_python.sync_playwright import Axe

    width, height = SHAPES[size]
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    page = Seen(context.new_page()).open(pages[name])
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    results = Axe().run(page)
    assert results.violations_count == 0, results.generate_report()
    context.close()
