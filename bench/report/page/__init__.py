"""The page, results/index.html, and the pictures beside it: what the evidence looks like. Made with packages of the extra ``report``."""

from importlib.util import find_spec

PACKAGES = ("altair", "jinja2", "vl_convert")
"""What the extra brings: plots, the template, and the scripts that a browser needs to draw plots."""


def why_not() -> str | None:
    """Why the page cannot be made here, in one line, or None where it can."""
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if not missing:
        return None
    return f"index.html was not made: {', '.join(missing)} is missing; pip install 'targetrl[report]'"
