"""The plots, as Vega-Lite specifications. Their records are named ``rows``; the page's script gives each plot those that it shows."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import altair as alt

from bench.report.page.data.courses import ORACLE, OUTCOME_NAMES
from bench.report.page.data.starts import PHASES
from bench.report.page.palette import COLOURS, DASHES, GREY, OUTCOME_COLOURS, PHASE_COLOURS, SHAPES, cycled

Spec = dict[str, Any]


BAR_HEIGHT = 34
"""Pixels of a cold start, whose name has two lines."""


LEGEND = alt.Legend(title=None, symbolOpacity=1, symbolStrokeWidth=0)
"""Of colour and shape together, as points have them, not the paler lines."""

CAP = 10
"""Pixels of the ends of an interval: wider than a point, so that they are seen where the interval is shorter than it."""

ULP_TICKS = (0, *(digit * 10**power for power in range(9) for digit in (1, 2, 5)))
"""Labelled distances: by itself an axis of this kind has none between 0 and 10."""

DRAG = "[pointerdown[event.pointerType !== 'touch'], window:pointerup] > window:pointermove!"
"""What moves a plot: not a finger, which scrolls the page."""


class Scales(NamedTuple):
    """The variants and devices there are: one has the same colour, shape and line in every plot. ``starts`` are kinds of cold starts."""

    variants: Sequence[str]
    machines: Sequence[str]
    starts: Sequence[str] = ()

    def colour(self, *, legend: bool = False) -> alt.Color:
        """By variant."""
        scale = alt.Scale(domain=list(self.variants), range=cycled(COLOURS, len(self.variants)))
        return alt.Color("variant:N", scale=scale, legend=LEGEND if legend else None)

    def shape(self, *, legend: bool = False) -> alt.Shape:
        """By variant."""
        scale = alt.Scale(domain=list(self.variants), range=cycled(SHAPES, len(self.variants)))
        return alt.Shape("variant:N", scale=scale, legend=LEGEND if legend else None)

    def dash(self) -> alt.StrokeDash:
        """By device."""
        dashes = [list(dash) for dash in cycled(DASHES, len(self.machines))]
        return alt.StrokeDash("machine:N", scale=alt.Scale(domain=list(self.machines), range=dashes), legend=None)


def throughput(scales: Scales, *, legend: bool = False) -> alt.LayerChart:
    """Policy-steps per second over N, both as logarithms, with intervals."""
    axis = alt.Axis(format="~s", tickCount=6)  # as many as there are powers of ten, or fewer: else each is cut into nine

    def speed(field: str) -> alt.Y:
        return alt.Y(field, title="policy-steps per second", scale=alt.Scale(type="log", padding=10), axis=axis)

    drawn = _lines_and_points(_over_n(), scales, speed("speed:Q"), legend=legend)
    base = _over_n().transform_filter("datum.low < datum.high")  # upon the points, which are wider than most intervals are high
    intervals = [base.mark_rule(strokeWidth=1).encode(y=speed("low:Q"), y2="high:Q")]
    intervals += [base.mark_tick(orient="horizontal", size=CAP, thickness=1).encode(y=speed(f"{end}:Q")) for end in ("low", "high")]
    # The page's styles know them by name: what is pointed at is the point below them.
    return _zoomable(drawn, above=[layer.properties(name=f"interval_{number}") for number, layer in enumerate(intervals)])


def share(scales: Scales) -> alt.LayerChart:
    """The share of the device's limit over N."""
    axis = alt.Y("share:Q", title="share of the limit", scale=alt.Scale(zero=True, nice=True), axis=alt.Axis(format=".0%", tickCount=6))
    return _zoomable(_lines_and_points(_over_n(), scales, axis))


def phases(scales: Scales) -> alt.LayerChart:
    """Seconds of one device's cold starts, a bar each, phase after phase; ``longest`` is the longest bar of any device, for one scale."""
    colours = alt.Scale(domain=list(PHASES), range=list(PHASE_COLOURS))
    tooltip = [
        alt.Tooltip("start:N", title="variant"),
        alt.Tooltip("machine:N", title="device"),
        alt.Tooltip("policies:Q", title="N", format=","),
        alt.Tooltip("phase:N"),
        alt.Tooltip("time:N"),
    ]
    two_lines = {"condition": {"test": "indexof(datum.label, ', ') > 0", "value": "bottom"}, "value": "middle"}
    names = alt.Axis(labelLimit=0, labelExpr="split(datum.label, ', ')", labelBaseline=two_lines)
    y = alt.Y("start:N", title=None, sort=None, axis=names)
    bars = alt.Chart().mark_bar().encode(
        x=alt.X("seconds:Q", title="seconds", stack="zero", axis=alt.Axis(tickCount=6)),
        y=y,
        color=alt.Color("phase:N", scale=colours, legend=None),
        order=alt.Order("order:Q"),
        tooltip=tooltip,
    )  # fmt: skip
    longest = alt.Chart().mark_tick(opacity=0).encode(x="longest:Q", y=y)
    height = BAR_HEIGHT * max(len(scales.starts), 3)
    return alt.LayerChart(data=alt.NamedData("rows"), layer=[longest, bars], width="container", height=height)


def trajectories(scales: Scales) -> alt.LayerChart:
    """Outputs over updates: the variants' as thin lines upon the oracle's wide ones."""
    base = _over_steps().encode(y=alt.Y("output:Q", title="output", scale=alt.Scale(domain=[0, 1])))
    oracle = base.transform_filter(f"datum.variant === '{ORACLE}'").mark_line(strokeWidth=9, opacity=0.35, color=GREY)
    return _zoomable([oracle, *_courses(base, scales, width=1.5)], height=320)


def distances(scales: Scales) -> alt.LayerChart:
    """Distances from the oracle over updates."""
    scale = alt.Scale(type="symlog", constant=1, domainMin=0)
    base = _over_steps().encode(y=alt.Y("ulp:Q", title="distance, ULP", scale=scale, axis=alt.Axis(format="~s", values=ULP_TICKS)))
    return _zoomable(_courses(base, scales, width=1), height=240)


def outcome_map() -> alt.Chart:
    """Where policies end, by where they begin and by learning rate."""
    colours = alt.Scale(domain=list(OUTCOME_NAMES), range=list(OUTCOME_COLOURS))
    number = "format(datum.value, '~g')"
    tooltip = [
        alt.Tooltip("logit:Q", title="logit at the start"),
        alt.Tooltip("rate:Q", title="learning rate"),
        alt.Tooltip("outcome:N"),
        alt.Tooltip("output:Q", title="output at the end"),
    ]
    found: alt.Chart = (
        alt.Chart(alt.NamedData("rows"), width="container", height=240)
        .mark_rect()
        .encode(
            x=alt.X("logit:O", title="logit at the start", axis=alt.Axis(values=[-4, -2, 0, 2, 4], labelAngle=0, labelExpr=number)),
            y=alt.Y("rate:O", title="learning rate", sort="descending", axis=alt.Axis(values=[0.01, 0.1, 1], labelExpr=number)),
            color=alt.Color("outcome:N", scale=colours, legend=None),
            tooltip=tooltip,
        )
    )
    return found


PLOTS: dict[str, Callable[[Scales], alt.Chart | alt.LayerChart]] = {
    "throughput": throughput,
    "share": share,
    "phases": phases,
    "trajectories": trajectories,
    "distances": distances,
    "map": lambda _scales: outcome_map(),
}


def specs(scales: Scales, config: Spec) -> dict[str, Spec]:
    """Every plot's specification, by name."""
    return {name: plot(scales).to_dict() | {"config": config} for name, plot in PLOTS.items()}


def _over_n() -> alt.Chart:
    tooltip = [
        alt.Tooltip("variant:N"),
        alt.Tooltip("machine:N", title="device"),
        alt.Tooltip("policies:Q", title="N", format=","),
        alt.Tooltip("shown:N", title="policy-steps/s"),
        alt.Tooltip("percent:N", title="share of the limit"),
        alt.Tooltip("identity:N"),
        alt.Tooltip("ulp:Q", title="largest distance, ULP"),
        alt.Tooltip("marks:N", title="marks"),
    ]
    scale = alt.Scale(type="log", padding=14, nice=False)
    n = alt.X("policies:Q", title="policies, N", scale=scale, axis=alt.Axis(format="~s", tickCount=6))
    return alt.Chart().encode(x=n, detail=["variant:N", "machine:N"], tooltip=tooltip)


def _lines_and_points(base: alt.Chart, scales: Scales, y: alt.Y, *, legend: bool = False) -> list[alt.Chart]:
    coloured = base.encode(y=y, color=scales.colour(legend=legend))
    return [
        coloured.mark_line(strokeWidth=2).encode(strokeDash=scales.dash()),
        coloured.mark_point(filled=True, size=90, opacity=1).encode(shape=scales.shape(legend=legend)),
    ]


def _over_steps() -> alt.Chart:
    tooltip = [
        alt.Tooltip("variant:N"),
        alt.Tooltip("machine:N", title="device"),
        alt.Tooltip("policy:N"),
        alt.Tooltip("step:Q", title="updates"),
        alt.Tooltip("output:Q"),
        alt.Tooltip("ulp:Q", title="distance, ULP"),
    ]
    return alt.Chart().encode(x=alt.X("step:Q", title="updates"), detail=["line:N", "variant:N", "machine:N"], tooltip=tooltip)


def _courses(base: alt.Chart, scales: Scales, *, width: float) -> list[alt.Chart]:
    """Lines of every variant, and a point at every fifth update: more would hide the lines."""
    coloured = base.transform_filter(f"datum.variant !== '{ORACLE}'").encode(color=scales.colour())
    lines = coloured.mark_line(strokeWidth=width).encode(strokeDash=scales.dash())
    points = coloured.transform_filter("datum.step % 5 === 0").mark_point(filled=True, size=28, opacity=1)
    return [lines, points.encode(shape=scales.shape())]


def _zoomable(layers: Sequence[alt.Chart], height: int = 420, above: Sequence[alt.Chart] = ()) -> alt.LayerChart:
    """Layers that move together when dragged, and zoom on the wheel while Ctrl is held: else the wheel scrolls the page.

    The zoom is called by the fields of the last of ``layers``; those ``above`` follow.
    """
    zoom = alt.selection_interval(name="zoom", bind="scales", zoom="wheel![event.ctrlKey]", translate=DRAG)
    moving = [*layers[:-1], layers[-1].add_params(zoom), *above]
    return alt.LayerChart(data=alt.NamedData("rows"), layer=moving, width="container", height=height)
