"""The fastest way at each population size, on every device."""

from collections.abc import Iterable

from bench.evidence.machine import Machine
from bench.evidence.schema import Benchmark
from bench.tables.cells import coded, escaped, scaled
from bench.tables.table import markdown_table

OBJECTIVE, ARITHMETICS = "detached", ("native", "portable")


def fastest_everywhere(machines: Iterable[Machine]) -> Iterable[str]:
    """Variant and speed of the fastest row of each N, of the listing's problem."""
    lines = []
    by_device = [(machine, arithmetic, fastest_rows(machine, arithmetic)) for machine in machines for arithmetic in ARITHMETICS]
    sizes = sorted({n for _, _, rows in by_device for n in rows})
    for machine, arithmetic, rows in by_device:
        if rows:
            shown = [f"{coded(rows[n].extra_info.variant)} {scaled(machine.speed(rows[n]).value)}" if n in rows else "–" for n in sizes]
            lines.append((escaped(machine.name), arithmetic, *shown))
    if lines:
        yield "## Fastest way at each population size\n"
        yield markdown_table(lines, ("device", "arithmetic", *(f"N = {n:,}" for n in sizes))) + "\n"


def fastest_rows(machine: Machine, arithmetic: str) -> dict[int, Benchmark]:
    """N → the row with the largest median speed in the steady state."""
    best: dict[int, Benchmark] = {}
    for row in machine.measured("steady state"):
        facts = row.extra_info
        if (facts.objective, facts.arithmetic) == (OBJECTIVE, arithmetic):
            n = facts.policies
            if n not in best or machine.speed(row).value > machine.speed(best[n]).value:
                best[n] = row
    return best
