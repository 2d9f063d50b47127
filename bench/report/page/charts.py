"""Throughput over N, as a Vega-Lite specification for the page and as pictures for README.md; and what tells variants and devices apart."""

from collections.abc import Sequence
from typing import Any, TypeVar

import altair as alt
import vl_convert

from bench.evidence.machine import Machine
from bench.report.page.rows import all_rows

Each = TypeVar("Each")
Spec = dict[str, Any]

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8a8a8a")
"""Distinct for every kind of colour vision, on white and on black: Okabe and Ito, 2008, with grey for their black and no yellow."""

SHAPES = (
    "M-0.8,0A0.8,0.8,0,1,1,0.8,0A0.8,0.8,0,1,1,-0.8,0Z",
    "M-0.7,-0.7H0.7V0.7H-0.7Z",
    "M0,-0.9L0.9,0.7H-0.9Z",
    "M0,-1L0.85,0L0,1L-0.85,0Z",
    "M-0.3,-0.9H0.3V-0.3H0.9V0.3H0.3V0.9H-0.3V0.3H-0.9V-0.3H-0.3Z",
    "M0,0.9L0.9,-0.7H-0.9Z",
    "M0.9,0L-0.7,-0.9V0.9Z",
    "M-0.9,0L0.7,-0.9V0.9Z",
)
"""SVG paths within ±1: as many as make the pairs of colour and shape repeat only after 56, so that neither has to be seen alone."""

DASHES = (
    (1, 0), (8, 3), (2, 2), (8, 3, 2, 3), (4, 4), (14, 4), (14, 3, 2, 3), (2, 6), (8, 3, 2, 3, 2, 3), (14, 3, 5, 3),
)  # fmt: skip
"""Lines of devices: ink and gap in pixels, as many as devices can be told apart by, and a few more."""

LEGEND = alt.Legend(title=None, symbolOpacity=1, symbolStrokeWidth=0)
"""Of colour and shape together, as points have them, not the paler lines."""

VEGA_LITE = "_".join(alt.SCHEMA_VERSION.split(".")[:2])
"""The version of Vega-Lite that altair writes for, as vl-convert names it."""

WIDTH, HEIGHT = 640, 380
"""Pixels of a picture."""

INKS = {"throughput.svg": "#1b1f24", "throughput-dark.svg": "#e6edf3"}
"""File → colour of its text, on the reader's own background."""


def cycled(values: Sequence[Each], count: int) -> list[Each]:
    """As many values as are wanted, beginning anew where they end."""
    return [values[index % len(values)] for index in range(count)]


def throughput(variants: Sequence[str], machines: Sequence[str], ink: str, width: int | None = None) -> Spec:
    """Policy-steps per second over N, both as logarithms, with intervals; its records are named ``rows``.

    Args:
        variants: every one that records may have: each has its colour and shape, whichever are shown.
        machines: every device, each with its line.
        ink: colour of what is no data; ``currentColor`` is the page's own, by day and by night, and on paper.
        width: pixels of a picture, which has a legend of its own; None: as wide as its place in the page.
    """
    legend = LEGEND if width else None
    colours = alt.Scale(domain=list(variants), range=cycled(COLOURS, len(variants)))
    shapes = alt.Scale(domain=list(variants), range=cycled(SHAPES, len(variants)))
    dashes = alt.Scale(domain=list(machines), range=[list(dash) for dash in cycled(DASHES, len(machines))])
    coloured = _over_n(alt.Chart()).encode(y=_speed("speed:Q"), color=alt.Color("variant:N", scale=colours, legend=legend))
    layers = [
        coloured.mark_line(strokeWidth=2).encode(strokeDash=alt.StrokeDash("machine:N", scale=dashes, legend=None)),
        coloured.mark_point(filled=True, size=90, opacity=1).encode(shape=alt.Shape("variant:N", scale=shapes, legend=legend)),
        _intervals(ink),
    ]
    chart = alt.LayerChart(data=alt.NamedData("rows"), layer=layers, width=width or "container", height=HEIGHT)
    return {**chart.to_dict(), "config": _config(ink)}


def _over_n(chart: alt.Chart) -> alt.Chart:
    tooltip = [
        alt.Tooltip("variant:N"),
        alt.Tooltip("machine:N", title="device"),
        alt.Tooltip("policies:Q", title="N", format=","),
        alt.Tooltip("shown:N", title="policy-steps/s"),
        alt.Tooltip("identity:N"),
        alt.Tooltip("max_ulp:Q", title="largest distance, ULP"),
        alt.Tooltip("marks:N", title="marks"),
    ]
    scale = alt.Scale(type="log", padding=14, nice=False)
    n = alt.X("policies:Q", title="policies, N", scale=scale, axis=alt.Axis(format="~s", tickCount=6))
    return chart.encode(x=n, detail=["variant:N", "machine:N"], tooltip=tooltip)


def _speed(field: str) -> alt.Y:
    axis = alt.Axis(format="~s", tickCount=6)  # as many as there are powers of ten, or fewer: else each is cut into nine
    return alt.Y(field, title="policy-steps per second", scale=alt.Scale(type="log", padding=10), axis=axis)


def _intervals(ink: str) -> alt.Chart:
    """Bars upon the points, with ends that are wider than these: most intervals are shorter than a point is high."""
    bars = alt.Chart().transform_filter("datum.speed_low < datum.speed_high")
    bars = bars.mark_errorbar(color=ink, ticks=alt.BarConfig(size=10), rule=alt.BarConfig(strokeWidth=1))
    return _over_n(bars).encode(y=_speed("speed_low:Q"), y2="speed_high:Q")


def _config(ink: str) -> Spec:
    """Vega's settings for what is no data, in one colour."""
    quiet = {"gridColor": ink, "gridOpacity": 0.14, "domainColor": ink, "domainOpacity": 0.5, "tickColor": ink, "tickOpacity": 0.5}
    return {
        "background": "transparent",
        "font": "system-ui, sans-serif",
        "aria": False,  # the page names the plot, and its table has every value
        "view": {"stroke": None},
        "axis": {"labelColor": ink, "titleColor": ink, "labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal", **quiet},
        "legend": {"labelColor": ink, "titleColor": ink, "labelFontSize": 12, "symbolType": "square"},
    }


def pictures(machine: Machine, variants: Sequence[str]) -> dict[str, str]:
    """File name → SVG of a device's first problem, by day and by night, drawn without a browser; empty where it has no steady state."""
    rows = [row for row in all_rows(machine) if row["status"] == "measured" and row.get("question") == "steady state"]
    rows = [row for row in rows if row["problem"] == rows[0]["problem"]]
    measured = {row["variant"] for row in rows}
    names = [variant for variant in variants if variant in measured]
    drawn = {}
    for name, ink in INKS.items() if rows else ():
        spec = throughput(names, [machine.name], ink, WIDTH)
        drawn[name] = vl_convert.vegalite_to_svg(spec | {"datasets": {"rows": rows}}, vl_version=VEGA_LITE)
    return drawn
