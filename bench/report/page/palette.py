"""What tells variants and devices apart: colour and shape together, so that neither has to be seen alone."""

from collections.abc import Sequence
from typing import TypeVar

Each = TypeVar("Each")

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
"""SVG paths within ±1: as many as make the pairs of colour and shape repeat only after 56."""

DASHES = (
    (1, 0), (8, 3), (2, 2), (8, 3, 2, 3), (4, 4), (14, 4), (14, 3, 2, 3), (2, 6), (8, 3, 2, 3, 2, 3), (14, 3, 5, 3),
)  # fmt: skip
"""Lines of devices: ink and gap in pixels, as many as devices can be told apart by, and a few more."""

GREY = COLOURS[-1]
OUTCOME_COLOURS = (COLOURS[2], COLOURS[0], COLOURS[4], GREY)
PHASE_COLOURS = (GREY, COLOURS[1], COLOURS[4], COLOURS[0])


def cycled(values: Sequence[Each], count: int) -> list[Each]:
    """As many values as asked for, beginning anew where they end."""
    return [values[index % len(values)] for index in range(count)]


def text_config(ink: str) -> dict[str, object]:
    """Vega's settings for what is no data, in one colour; ``currentColor`` is the page's own, by day and by night, and on paper."""
    quiet = {"gridColor": ink, "gridOpacity": 0.14, "domainColor": ink, "domainOpacity": 0.5, "tickColor": ink, "tickOpacity": 0.5}
    return {
        "background": "transparent",
        "font": "system-ui, sans-serif",
        "aria": False,  # the page names each plot, and its table has every value
        "view": {"stroke": None},
        "rule": {"color": ink},
        "tick": {"color": ink},
        "axis": {"labelColor": ink, "titleColor": ink, "labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal", **quiet},
        "legend": {"labelColor": ink, "titleColor": ink, "labelFontSize": 12, "symbolType": "square"},
        "title": {"color": ink, "subtitleColor": ink},
    }
