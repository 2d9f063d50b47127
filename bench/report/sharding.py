"""Ranks that train one population together: speeds, and how much of that of as many single ranks they come to."""

from collections.abc import Iterable

from bench.evidence.machine import Machine
from bench.evidence.records import median_interval, quotient
from bench.evidence.schema import Benchmark, Cell
from bench.report.tables import marked
from bench.tables.cells import coded, scaled
from bench.tables.table import Reasons, markdown_table


def sharding_section(machine: Machine, reasons: Reasons) -> Iterable[str]:
    """Ranks × N."""
    cells = machine.cells("sharding")
    if not cells:
        return
    sizes = sorted({cell.policies for cell in cells})
    lines = []
    for ranks in sorted({cell.ranks or 1 for cell in cells}):
        mine = {cell.policies: cell for cell in cells if cell.ranks == ranks}
        lines.append((f"{ranks:,}", *(_shown(machine, cells, mine.get(n), reasons) for n in sizes)))
    names = ", ".join(dict.fromkeys(coded(cell.variant) for cell in cells))
    yield f"### Ranks that train together, a thread or a GPU each, {names}: policy-steps per second, and efficiency\n"
    yield markdown_table(lines, ("ranks", *(f"N = {n:,}" for n in sizes))) + "\n"


def _shown(machine: Machine, cells: Iterable[Cell], cell: Cell | None, reasons: Reasons) -> str:
    row = None if cell is None else machine.rows.get(cell)
    if cell is None or row is None:
        return reasons.cell(None if cell is None else machine.absent.get(cell))
    single = next((other for other in cells if other.ranks == 1 and other.policies == cell.policies), None)
    alone = None if single is None else machine.rows.get(single)
    share = "" if alone is None or cell.ranks in (None, 1) else f", {efficiency(alone, row, cell.ranks or 1)}"
    return f"{scaled(machine.speed(row).value)}{share}{marked(machine, row)}"


def efficiency(alone: Benchmark, together: Benchmark, ranks: int) -> str:
    """The speed of ranks over that of as many single ones, with its interval by the rounds: each row's are of processes that go on."""
    gain = quotient(median_interval(alone.stats.data), median_interval(together.stats.data))
    low, value, high = (f"{end / ranks:.0%}" for end in gain)
    return f"{value} [{low}, {high}]"
