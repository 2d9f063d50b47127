"""Throughput over N as a Mermaid chart, which GitHub draws from text: pictures that a run has made cannot be shown in its summary."""

import math
from collections.abc import Iterable

from bench.evidence.machine import Machine
from bench.evidence.schema import Benchmark
from bench.report.tables import problems
from bench.tables.cells import coded, escaped

COLOURS = {
    "🟦": "#3b82f6", "🟧": "#f97316", "🟩": "#22a559", "🟥": "#dc2626", "🟪": "#8b5cf6", "🟫": "#92603c", "🟨": "#eab308",
}  # fmt: skip
"""Colours of lines, each with its square: these charts have no legend, so the text above them is one."""

HEAD = """```mermaid
---
config:
  xyChart:
    width: 800
    height: 450
  themeVariables:
    xyChart:
      plotColorPalette: "{palette}"
---
xychart-beta
  x-axis "policies" {sizes}
  y-axis "policy-steps per second, powers of ten" {low} --> {high}"""


def diagram(machine: Machine) -> Iterable[str]:
    """A device's first problem in the steady state, in Markdown; nothing where no variant has a line.

    There are as many lines as colours: of more variants, the fastest at the largest N they were measured at. A line is of two points or
    more; every variant with a number is either drawn or said not to be.
    """
    rows = machine.measured("steady state")
    rows = [row for row in rows if problems([row.extra_info]) == problems([rows[0].extra_info])]
    sizes = sorted({row.extra_info.policies for row in rows})
    lines = {name: _line(machine, rows, sizes, name) for name in dict.fromkeys(_variant(row) for row in rows)}
    names = sorted(lines, key=lambda name: (len(lines[name]), lines[name][-1:]), reverse=True)
    drawn = dict(zip((name for name in names if len(lines[name]) > 1), COLOURS, strict=False))
    if not drawn:
        return
    without = [name for name in names if name not in drawn]
    yield f"**{escaped(machine.name)}**: policy-steps per second over the number of policies, the fastest of very many first\n"
    yield ", ".join(f"{square} {coded(name)}" for name, square in drawn.items()) + _aside(without) + "\n"
    yield _chart(sizes, [(COLOURS[square], lines[name]) for name, square in drawn.items()]) + "\n"


def _variant(row: Benchmark) -> str:
    return row.extra_info.variant or "–"


def _line(machine: Machine, rows: Iterable[Benchmark], sizes: Iterable[int], variant: str) -> list[float]:
    """A variant's powers of ten from the smallest N on, up to the first N without a number: a chart's lines have no gaps."""
    known = {row.extra_info.policies: machine.speed(row).value for row in rows if _variant(row) == variant}
    powers: list[float] = []
    for n in sizes:
        if n not in known:
            break
        powers.append(math.log10(known[n]))
    return powers


def _aside(names: list[str]) -> str:
    return "; not drawn: " + ", ".join(coded(name) for name in names) if names else ""


def _chart(sizes: Iterable[int], lines: list[tuple[str, list[float]]]) -> str:
    powers = [power for _, line in lines for power in line]
    head = HEAD.format(
        palette=", ".join(colour for colour, _ in lines),
        sizes=_list(f'"{n:,}"' for n in sizes),
        low=math.floor(min(powers)),
        high=math.ceil(max(powers)),
    )
    return "\n".join([head, *(f"  line {_list(f'{power:.3f}' for power in line)}" for _, line in lines), "```"])


def _list(values: Iterable[str]) -> str:
    return f"[{', '.join(values)}]"
