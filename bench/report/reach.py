"""How far honest variants are from the oracle: results/bounds.json as a table, by steps and objective."""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from bench.evidence import untrusted
from bench.tables.cells import escaped
from bench.tables.table import markdown_table

INTRODUCTION = """The largest distance of any policy, in units of what the oracle says that rounding can reach, over every variant and
arithmetic that runs on the CPU, usual starts and probes, and several settings of the constants; a variant passes below 3. Measured by
`python -m bench upkeep bounds`; which variant and problem showed each stands in [bounds.json](bounds.json).
"""


class Furthest(msgspec.Struct, frozen=True):
    """The largest distance of one tensor, in units of the oracle's reach, and what showed it."""

    distance: float
    variant: str
    arithmetic: str
    problem: str


class Distances(msgspec.Struct, frozen=True):
    """The largest distances of one kind of problem and number of steps, and the share of usual starts that come to a kink."""

    kinked: float
    weight: Furthest
    bias: Furthest
    m_weight: Furthest
    v_weight: Furthest
    m_bias: Furthest
    v_bias: Furthest
    baseline: Furthest | None = None

    def by_tensor(self) -> tuple[float, float, float, float]:
        """Of w and b, of m, of v, and of the baseline; 0 where there is none."""
        return (
            max(self.weight.distance, self.bias.distance),
            max(self.m_weight.distance, self.m_bias.distance),
            max(self.v_weight.distance, self.v_bias.distance),
            self.baseline.distance if self.baseline else 0.0,
        )


def read(results: Path) -> dict[str, dict[str, Distances]]:
    """``objective/optimizer`` → steps → distances; empty where they have not been measured.

    Raises:
        UsageError: the file is no such table.
    """
    path = results / "bounds.json"
    if not path.exists():
        return {}
    return untrusted.decoded(path, dict[str, dict[str, Distances]])


def reach_section(results: Path) -> Iterable[str]:
    """The table."""
    lines = [
        (escaped(kind), escaped(steps), *(f"{value:.2f}" if value else "–" for value in distances.by_tensor()), f"{distances.kinked:.3%}")
        for kind, by_steps in read(results).items()
        for steps, distances in by_steps.items()
    ]
    if lines:
        yield "## How far honest variants are from the oracle\n"
        yield INTRODUCTION
        yield markdown_table(lines, ("objective/optimiser", "steps", "w, b", "m", "v", "baseline", "at a kink (usual starts)")) + "\n"
