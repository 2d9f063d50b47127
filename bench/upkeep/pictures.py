"""The pictures of docs/, each with a digest of what it shows, so that a stale one is noticed."""

import hashlib
import inspect
import json
import shlex
from typing import Any

import numpy as np
import vl_convert
from torch import Tensor

from targetrl_core import Population, Problem, train
from targetrl_core.listing import basin
from targetrl_core.pictures import canvas
from targetrl_core.sweeps import axes, grid
from targetrl_core.sweeps.run import Swept, train_grid

SETTINGS = {
    name: Problem(arithmetic="portable", **constants)
    for name, constants in (
        ("detached", {"objective": "detached"}),
        ("pathwise", {"objective": "pathwise"}),
        ("reinforce", {"objective": "reinforce"}),
        ("reinforce, no baseline", {"objective": "reinforce", "baseline": "none"}),
        ("reinforce, 8 samples", {"objective": "reinforce", "samples": 8}),
        ("reinforce, sigma 0.2", {"objective": "reinforce", "sigma": 0.2}),
    )
}
"""By what each is called; in portable arithmetic, whose bits are the same on every machine."""

NEAR = 0.05
"""Within this distance of the target an output counts as near it; `reinforce` is too noisy for 0.02."""

SHOWN, SHOWN_STEPS = 20, 120
"""Policies and steps of the pictures."""

FEW = 5_000
"""Policies of a curve: enough to be smooth."""

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Okabe and Ito's palette, which colour-blind readers can tell apart."""

BASIN = "basin.png"
ACROSS, UPWARDS = "lr=1e-4:10:240:log", "target=0.05:0.95:200"
OBJECTIVE, ARITHMETIC = "pathwise", "portable"


def specifications() -> dict[str, dict[str, Any]]:
    """File name → the picture as Vega-Lite."""
    return {"courses.svg": _courses(list(SETTINGS)[:3]), "shares.svg": _shares(list(SETTINGS))}


def svg(specification: dict[str, Any]) -> str:
    """The picture, with its digest in a comment at the end."""
    drawn = vl_convert.vegalite_to_svg(json.dumps(specification))
    return f"{drawn}\n{stamp(specification)}\n"


def stamp(specification: dict[str, Any]) -> str:
    """The comment by which a picture says what it was made of."""
    return f"<!-- shows {hashlib.sha256(json.dumps(specification, sort_keys=True).encode()).hexdigest()} -->"


def is_near(outputs: Tensor) -> Tensor:
    """Which outputs are near the target of all settings."""
    return (outputs.double() - 0.8).abs() <= NEAR


def _courses(names: list[str]) -> dict[str, Any]:
    values = [
        {"step": step, "output": round(output, 4), "policy": policy, "objective": name}
        for name in names
        for step, outputs in enumerate(_outputs(name, SHOWN).tolist())
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
        facet={"column": {"field": "objective", "type": "nominal", "title": None, "sort": names}},
        spec={"width": 210, "height": 180, "layer": [lines, target]},
    )


def _shares(names: list[str]) -> dict[str, Any]:
    values = [
        {"step": step, "share": round(share, 4), "setting": name}
        for name in names
        for step, share in enumerate(is_near(_outputs(name, FEW)).double().mean(1).tolist())
    ]
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


def _outputs(name: str, policies: int) -> Tensor:
    """Outputs before each update, [steps, policies]."""
    history = train(SETTINGS[name].replace(steps=SHOWN_STEPS), Population.initialise(policies), record=True).history
    if history is None:
        raise TypeError("only a recorded run has a history")
    return history


def _drawn(values: list[dict[str, Any]], **more: Any) -> dict[str, Any]:  # noqa: ANN401 — Vega-Lite's own
    # A background of its own: the pictures are shown on dark pages too.
    schema = "https://vega.github.io/schema/vega-lite/v6.json"
    return {"$schema": schema, "background": "white", "data": {"values": values}, **more}


def command() -> str:
    """What makes the same picture of a sweep."""
    options = ["--x", ACROSS, "--y", UPWARDS, "--objective", OBJECTIVE, "--arithmetic", ARITHMETIC, "-o", BASIN]
    return shlex.join(["targetrl", "sweep", *options])


def swept() -> Swept:
    """The sweep."""
    problem = Problem(objective=OBJECTIVE, arithmetic=ARITHMETIC)  # type: ignore[arg-type] # names of both
    return train_grid(grid.grid_of(problem, [axes.parse(UPWARDS), axes.parse(ACROSS)], grid.GridStart()))


def basin_png() -> bytes:
    """Its picture, with the digest as the description that stands in it."""
    result = swept()
    return basin.picture(result, description=basin_stamp(result))


def basin_stamp(result: Swept) -> str:
    """By which the picture says what it was made of, and by what."""
    digest = hashlib.sha256(np.round(result.distance, 5).tobytes())
    for text in (command(), *(inspect.getsource(module) for module in (basin, canvas))):
        digest.update(text.encode())
    return f"shows {digest.hexdigest()}"
