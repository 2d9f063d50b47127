"""The page's scripts: a bundle of libraries, and its own. The page lets run what has one of their digests, and nothing else."""

import base64
import hashlib
import re
from functools import cache
from pathlib import Path

import vl_convert

from bench.report.page.charts import vega_version

ASSETS = Path(__file__).parent / "assets"


@cache
def scripts() -> tuple[str, ...]:
    """Vega-Embed with all it needs, and the page's own two, in the order in which they run."""
    vega = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed", vl_version=vega_version())
    own = ((ASSETS / name).read_text(encoding="utf-8") for name in ("recommend.js", "page.js"))
    return inline(vega), *map(inline, own)


def inline(script: str) -> str:
    """A script as it can stand in a page: nothing in it ends its element, and its line ends are those that a browser makes of them."""
    return re.sub(r"<(?=!--|/script|script)", r"\\x3c", script.replace("\r\n", "\n").replace("\r", "\n"), flags=re.IGNORECASE)


def digest(script: str) -> str:
    """What a content security policy calls a script."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
