"""The page's scripts: bundles of libraries, and its own. The page lets run what has one of their digests, and nothing else."""

import base64
import hashlib
import re
from functools import cache
from importlib.metadata import distribution, version
from pathlib import Path

import vl_convert

from bench.report.page.charts import vega_version
from targetrl_core.errors import UsageError

ASSETS = Path(__file__).parent / "assets"
EXPORTS = re.compile(r"export\{([^{}]*)\};?")


def tables(kind: str) -> str:
    """DataTables and its extensions, as itables has them: a module (js), or their styles (css)."""
    place = distribution("itables").locate_file(f"itables/html/dt_bundle.{kind}")  # to import it would take pandas along
    return Path(str(place)).read_text(encoding="utf-8")


@cache
def scripts() -> tuple[str, ...]:
    """Vega-Embed with all it needs, DataTables, and the page's own two, in the order in which they run."""
    vega = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed", vl_version=vega_version())
    own = ((ASSETS / name).read_text(encoding="utf-8") for name in ("recommend.js", "page.js"))
    return inline(vega), inline(as_script(tables("js"))), *map(inline, own)


def as_script(module: str) -> str:
    """A module without imports as a script that leaves its exports in ``window.tables``: a module in a page cannot be imported.

    Raises:
        UsageError: it is not such a module.
    """
    lists = EXPORTS.findall(module)
    if len(lists) != 1:
        raise UsageError(f"itables {version('itables')}: its bundle has {len(lists)} lists of exports; it must have one, as in 2.9")
    pairs = (name.partition(" as ")[::2] for name in lists[0].split(","))
    exports = ",".join(f"{(public or local).strip()}:{local.strip()}" for local, public in pairs)
    return "(()=>{" + EXPORTS.sub(lambda _: f"window.tables={{{exports}}};", module) + "\n})()"


def inline(script: str) -> str:
    """A script as it can stand in a page: nothing in it ends its element, and its line ends are those that a browser makes of them."""
    return re.sub(r"<(?=!--|/script|script)", r"\\x3c", script.replace("\r\n", "\n").replace("\r", "\n"), flags=re.IGNORECASE)


def digest(script: str) -> str:
    """What a content security policy calls a script."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def styles() -> list[str]:
    """DataTables' and the page's own."""
    return [tables("css"), (ASSETS / "page.css").read_text(encoding="utf-8")]
