"""The pictures of docs/, as SVG: made by Vega-Altair of the figures of ``courses``, each with a digest of what it shows."""

import hashlib
import json
from typing import Any

from bench.docs import courses
from bench.docs.courses import SETTINGS, Setting
from targetrl_core.errors import UsageError

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Okabe and Ito's palette, which colour-blind readers can tell apart."""

FEW = 5_000
"""Policies of a curve: enough to be smooth."""


def specifications() -> dict[str, dict[str, Any]]:
    """File name → the picture as Vega-Lite."""
    return {"courses.svg": _courses(SETTINGS[:3]), "shares.svg": _shares(SETTINGS)}


def digest(specification: dict[str, Any]) -> str:
    """What the picture shows, in 64 hexadecimal digits."""
    return hashlib.sha256(json.dumps(specification, sort_keys=True).encode()).hexdigest()


def svg(specification: dict[str, Any]) -> str:
    """The picture, with its digest in a comment at the end."""
    try:
        import vl_convert
    except ModuleNotFoundError as error:
        raise UsageError("vl-convert-python is not installed: pip install 'targetrl[report]'") from error
    drawn = str(vl_convert.vegalite_to_svg(json.dumps(specification)))
    return f"{drawn}\n{stamp(specification)}\n"


def stamp(specification: dict[str, Any]) -> str:
    """The comment by which a picture says what it was made of."""
    return f"<!-- shows {digest(specification)} -->"


def _courses(settings: tuple[Setting, ...]) -> dict[str, Any]:
    values = [
        {"step": step, "output": round(output, 4), "policy": policy, "objective": setting.name}
        for setting in settings
        for step, outputs in enumerate(courses.outputs_by_step(setting.problem).tolist())
        for policy, output in enumerate(outputs)
    ]
    lines = {
        "mark": {"type": "line", "strokeWidth": 1, "opacity": 0.6},
        "encoding": {
            "x": {"field": "step", "type": "quantitative"},
            "y": {"field": "output", "type": "quantitative", "scale": {"domain": [0, 1]}},
            "detail": {"field": "policy", "type": "nominal"},
            "color": {"field": "objective", "type": "nominal", "legend": None, "scale": {"range": list(COLOURS)}},
        },
    }
    target = {
        "data": {"values": [{}]},  # one rule, not one for each output
        "mark": {"type": "rule", "strokeDash": [4, 3], "color": "#666666"},
        "encoding": {"y": {"datum": 0.8}},
    }
    return _drawn(
        values,
        facet={"column": {"field": "objective", "type": "nominal", "title": None, "sort": [setting.name for setting in settings]}},
        spec={"width": 210, "height": 180, "layer": [lines, target]},
    )


def _shares(settings: tuple[Setting, ...]) -> dict[str, Any]:
    values = [
        {"step": step, "share": round(share, 4), "setting": setting.name}
        for setting in settings
        for step, share in enumerate(_near(setting).tolist())
    ]
    names = [setting.name for setting in settings]
    return _drawn(
        values,
        width=560,
        height=240,
        mark={"type": "line", "strokeWidth": 2},
        encoding={
            "x": {"field": "step", "type": "quantitative"},
            "y": {"field": "share", "type": "quantitative", "title": "within 0.05 of the target", "axis": {"format": ".0%"}},
            "color": {"field": "setting", "type": "nominal", "sort": names, "scale": {"domain": names, "range": list(COLOURS)}},
        },
    )


def _near(setting: Setting) -> Any:  # noqa: ANN401 — a tensor [steps]
    outputs = courses.outputs_by_step(setting.problem, FEW)
    return ((outputs.double() - 0.8).abs() <= courses.NEAR).double().mean(1)


def _drawn(values: list[dict[str, Any]], **more: Any) -> dict[str, Any]:  # noqa: ANN401 — Vega-Lite's own
    # A background of its own: the pictures are shown on dark pages too.
    schema = "https://vega.github.io/schema/vega-lite/v6.json"
    return {"$schema": schema, "background": "white", "data": {"values": values}, **more}
