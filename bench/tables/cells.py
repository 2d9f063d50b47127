"""How values look in tables."""

import re

from bench.evidence.records import Interval
from bench.evidence.untrusted import plain

FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
"""What a formula begins with; some spreadsheets take the wide forms too."""


def scaled(value: float) -> str:
    """Three significant digits and a unit: 1.23 G, 45.6 M, 7.89 k."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        # What rounds up to the unit is written in it: 1.00 k, not 1000.
        if float(f"{value:.3g}") >= size:
            return f"{value / size:#.3g} {unit}".replace(". ", " ")
    return f"{value:#.3g}".removesuffix(".")


def duration(seconds: float) -> str:
    """Three significant digits and a unit of time: 5,620 s, 1.23 s, 45.6 ms, 7.89 µs."""
    if float(f"{seconds:.3g}") >= 1000:  # noqa: PLR2004 — more than three digits
        return f"{float(f'{seconds:.3g}'):,.0f} s"
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if float(f"{seconds:.3g}") >= size:
            return f"{seconds / size:#.3g} {unit}".replace(". ", " ")
    return f"{seconds / 1e-9:#.3g} ns".replace(". ", " ")


def ratio(value: float) -> str:
    """How many times: three significant digits, or whole."""
    return f"{value:#.3g}".removesuffix(".") if value < 1000 else f"{value:,.0f}"  # noqa: PLR2004 — more than three digits


def rough(value: float) -> str:
    """How many times, of what is not known to more than two significant digits: 2.1, 34, 820,000."""
    return f"{value:#.2g}" if value < 9.95 else f"{float(f'{value:.2g}'):,.0f}"  # noqa: PLR2004 — what rounds up to two digits is whole


def size(count: int) -> str:
    """Bytes, in binary units."""
    for unit, bytes_each in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if count >= bytes_each:
            return f"{count / bytes_each:.1f} {unit}"
    return f"{count} B"


def with_interval(interval: Interval, *, seconds: bool = False) -> str:
    """A value and, in brackets, the ends of its interval; the value alone where it has none."""
    low, value, high = (duration(end) if seconds else scaled(end) for end in interval)
    return f"{value} [{low}, {high}]" if interval.low < interval.high else value


def escaped(text: object) -> str:
    """Text as Markdown shows it, whatever it holds: no markup, no HTML, no link, also none of those that GitHub makes of bare addresses."""
    marked = re.sub(r"[\\`*_\[\]<>|#&~!]", r"\\\g<0>", plain(text))
    return re.sub(r"(?i):(?=//)|(?<=www)\.", r"\\\g<0>", marked)


def coded(text: object) -> str:
    """Text as a code span of Markdown, in tables too, whatever it holds; what is blank is a dash, as a span of nothing is none.

    In a span nothing is markup but a backtick, which would end it and becomes an apostrophe, and in tables a bar, even there. The
    backslash before a bar is not shown by a table; the text's own go, as whether they hide the bar differs from reader to reader.
    """
    shown = re.sub(r"\\*\|", r"\|", plain(text).replace("`", "'"))
    return f"`{shown}`" if shown.strip() else "–"


def spreadsheet_safe(value: object) -> object:
    """A value that a spreadsheet takes for no formula and a terminal for no command; what is no text stays as it is."""
    if not isinstance(value, str):
        return value
    shown = plain(value)
    return f"'{shown}" if shown.lstrip()[:1] in FORMULA else shown
