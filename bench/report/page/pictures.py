"""Throughput over N as pictures that stand in README.md, drawn without a browser: SVG, by day and by night."""

import re
from collections.abc import Sequence

import vl_convert

from bench.evidence.machine import Machine
from bench.report.page.charts import Scales, Spec, throughput
from bench.report.page.data.rows import Record, all_rows
from bench.report.page.palette import text_config
from bench.report.page.scripts import vega_version

INKS = {"throughput.svg": "#1b1f24", "throughput-dark.svg": "#e6edf3"}
"""File → colour of its text, on the reader's own background."""


def pictures(machine: Machine, variants: Sequence[str]) -> dict[str, str]:
    """File name → SVG of a device's first problem; empty where it has no steady state."""
    rows = [row for row in all_rows(machine) if row["status"] == "measured" and row.get("question") == "steady state"]
    rows = [row for row in rows if row["problem"] == rows[0]["problem"]]
    if not rows:
        return {}
    measured = {row["variant"] for row in rows}
    scales = Scales([variant for variant in variants if variant in measured], [machine.name])
    spec = throughput(scales, legend=True).properties(width=640, height=380).to_dict()
    return {name: _numbered(vl_convert.vegalite_to_svg(_with(spec, rows, ink), vl_version=vega_version())) for name, ink in INKS.items()}


def _with(spec: Spec, rows: Sequence[Record], ink: str) -> Spec:
    return spec | {"datasets": {"rows": rows}, "config": text_config(ink)}


def _numbered(svg: str) -> str:
    """A picture whose clips are counted from its first: Vega counts through all that a process draws, and pictures are to be the same."""
    names = dict.fromkeys(re.findall(r'id="(clip\d+)"', svg))
    order = {name: f"clip{number}" for number, name in enumerate(names)}
    return re.sub(r'(?<=id=")clip\d+(?=")|(?<=url\(#)clip\d+(?=\))', lambda found: order.get(found[0], found[0]), svg)
