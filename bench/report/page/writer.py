"""The page, put together: what is shown, and the scripts and styles that show it, in one file that needs no other."""

import base64
import hashlib
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import get_args

import vl_convert
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from bench.evidence.machine import Machine, meanings
from bench.evidence.schema import Question
from bench.evidence.untrusted import plain
from bench.report import tables
from bench.report.page import charts, rows
from bench.tables.flat import Record

ASSETS = Path(__file__).parent / "assets"

FIRST_SHOWN = 3
"""Devices that are shown at first: the lines of more could not be told apart."""


def html(machines: Sequence[Machine]) -> str:
    """The page of some devices."""
    names, devices = variant_names(machines), [machine.name for machine in machines]
    verdict = [line for machine in machines for line in rows.fastest(machine)]
    sizes = sorted({policies for line in verdict for policies in line["best"]})
    starts = [start for machine in machines for start in rows.cold_starts(machine)]
    records = sorted((row for machine in machines for row in rows.all_rows(machine)), key=_question)
    steady = [row for row in records if row.get("question") == "steady state"]
    spec = charts.throughput(names, devices, "currentColor")
    return _template().render(
        data={"rows": records, "machines": devices, "spec": spec, "ways": [way for machine in machines for way in rows.ways(machine)]},
        machines=devices,
        problems=rows.different(steady, "problem"),
        objectives=rows.different(steady, "objective"),
        arithmetics=rows.different(steady, "arithmetic"),
        first_shown=FIRST_SHOWN,
        colours=dict(zip(names, charts.cycled(charts.COLOURS, len(names)), strict=True)),
        shapes=dict(zip(names, charts.cycled(charts.SHAPES, len(names)), strict=True)),
        dashes=dict(zip(devices, charts.cycled(charts.DASHES, len(devices)), strict=True)),
        sizes=sizes,
        verdict=verdict,
        phases=rows.PHASES,
        starts=starts,
        longest=max((start["total"] for start in starts), default=0.0),
        cards=[rows.card(machine) for machine in machines],
        marks=meanings(row["marks"] for row in records if "marks" in row),
        scripts=scripts(),
        digests=" ".join(digest(script) for script in scripts()),
        style=(ASSETS / "page.css").read_text(encoding="utf-8"),
    )


def variant_names(machines: Sequence[Machine]) -> list[str]:
    """Every variant there is, those of the steady state first, in the order of the tables."""
    ordered = [name for machine in machines for name in tables.variants(machine, machine.cells("steady state"))]
    others = [cell.variant for machine in machines for cell in (*machine.rows, *machine.absent) if cell.variant is not None]
    return list(dict.fromkeys(plain(name) for name in (*ordered, *others)))


def _question(row: Record) -> int:
    """Where a row stands: the steady state first, and last what failed before it was known what it is about."""
    questions = get_args(Question)
    return questions.index(row["question"]) if "question" in row else len(questions)


def _template() -> Template:
    """The page's template: what stands in it is text, unless the template itself says that it is markup."""
    environment = Environment(
        loader=FileSystemLoader(ASSETS), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    # JSON in a page: jinja2 writes <, >, & and ' as escapes, so that no text in it ends its element.
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "separators": (",", ":"), "allow_nan": False}
    return environment.get_template("page.html")


@cache
def scripts() -> tuple[str, ...]:
    """Vega-Embed with all it needs, and the page's own two, in the order in which they run."""
    vega = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed", vl_version=charts.VEGA_LITE)
    own = ((ASSETS / name).read_text(encoding="utf-8") for name in ("recommend.js", "page.js"))
    return inline(vega), *map(inline, own)


def inline(script: str) -> str:
    """A script as it can stand in a page: nothing in it ends its element, and its line ends are those that a browser makes of them."""
    return re.sub(r"<(?=!--|/script|script)", r"\\x3c", script.replace("\r\n", "\n").replace("\r", "\n"), flags=re.IGNORECASE)


def digest(script: str) -> str:
    """What a content security policy calls a script."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
