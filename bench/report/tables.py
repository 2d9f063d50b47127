"""What the tables have in common: speeds, the fastest, marks, and the order of their lines."""

from collections.abc import Callable, Iterable, Sequence

from bench.evidence import records
from bench.evidence.kinds import Kind, kind_of
from bench.evidence.machine import Machine
from bench.evidence.schema import Benchmark, Cell
from bench.tables.cells import coded, escaped, scaled, with_interval
from bench.tables.table import Reasons, markdown_table

OBJECTIVE, ARITHMETICS = "detached", ("native", "portable")


def by_problem(cells: Iterable[Cell]) -> dict[Kind, list[Cell]]:
    """The cells of each problem."""
    groups: dict[Kind, list[Cell]] = {}
    for cell in cells:
        groups.setdefault(kind_of(cell).problem, []).append(cell)
    return groups


def speeds(machine: Machine, cells: Sequence[Cell], reasons: Reasons, *, intervals: bool = True) -> str:
    """Variant × N, the fastest of each N in bold."""
    sizes = sorted({cell.policies for cell in cells})
    best = {n: fastest(machine, [cell for cell in cells if cell.policies == n]) for n in sizes}
    lines = []
    for variant in variants(machine, cells):
        mine = {cell.policies: cell for cell in cells if cell.variant == variant}
        values = [_speed(machine, mine.get(n), reasons, bold=best[n] == variant, intervals=intervals) for n in sizes]
        rows = [machine.rows[cell] for cell in mine.values() if cell in machine.rows]
        lines.append((coded(variant), *values, identity(rows)))
    return markdown_table(lines, ("variant", *(f"N = {n:,}" for n in sizes), "identity"))


def variants_by_size(machine: Machine, cells: Sequence[Cell], text: Callable[[Benchmark], str]) -> str:
    """Variant × N of cells that have a row: what is to be shown of it."""
    sizes = sorted({cell.policies for cell in cells})
    lines = []
    for variant in variants(machine, cells):
        mine = {cell.policies: text(machine.rows[cell]) for cell in cells if cell.variant == variant}
        lines.append((coded(variant), *(mine.get(n, "–") for n in sizes)))
    return markdown_table(lines, ("variant", *(f"N = {n:,}" for n in sizes)))


def variants(machine: Machine, cells: Sequence[Cell]) -> list[str]:
    """Variants in the order of the steady state, where they all stand."""
    everywhere = (*machine.cells("steady state"), *cells)
    order = [cell.variant for cell in everywhere if cell.variant is not None]
    known = {cell.variant for cell in cells}
    return [variant for variant in dict.fromkeys(order) if variant in known]


def fastest(machine: Machine, cells: Iterable[Cell]) -> str | None:
    """The variant with the largest median speed, None where nothing has a number."""
    rows = [machine.rows[cell] for cell in cells if cell in machine.rows]
    return max(rows, key=lambda row: machine.speed(row).value).extra_info.variant if rows else None


def _speed(machine: Machine, cell: Cell | None, reasons: Reasons, *, bold: bool, intervals: bool) -> str:
    def text(row: Benchmark) -> str:
        interval = machine.speed(row)
        value, _, ends = (with_interval(interval) if intervals else scaled(interval.value)).partition(" [")
        return (f"**{value}**" if bold else value) + (f" [{ends}" if ends else "")

    return shown(machine, cell, reasons, text)


def shown(machine: Machine, cell: Cell | None, reasons: Reasons, text: Callable[[Benchmark], str]) -> str:
    """What a cell's row is to say, and its marks; of one without a row the reason."""
    row = None if cell is None else machine.rows.get(cell)
    if row is None:
        return reasons.cell(None if cell is None else machine.absent.get(cell))
    return text(row) + marked(machine, row)


def marked(machine: Machine, row: Benchmark) -> str:
    """The letters of a row's marks, in italics; nothing where it has none."""
    marks = machine.marks(row)
    return f" *{marks}*" if marks else ""


def identity(rows: Sequence[Benchmark]) -> str:
    """Level and largest distance of some rows together."""
    if not rows:
        return ""
    level = "/".join(sorted({row.extra_info.identity for row in rows}))
    ambiguous = max(row.extra_info.ambiguous for row in rows)
    worst = f"{level}, {max(records.max_ulp(row.extra_info) for row in rows):.1f} ULP"
    return worst + (f", {ambiguous:,} ambiguous" if ambiguous else "")


def fastest_everywhere(machines: Iterable[Machine]) -> Iterable[str]:
    """Variant and speed of the fastest row of each N, of the listing's problem."""
    lines = []
    by_device = [(machine, arithmetic, fastest_rows(machine, arithmetic)) for machine in machines for arithmetic in ARITHMETICS]
    sizes = sorted({n for _, _, rows in by_device for n in rows})
    for machine, arithmetic, rows in by_device:
        if rows:
            values = [f"{coded(rows[n].extra_info.variant)} {scaled(machine.speed(rows[n]).value)}" if n in rows else "–" for n in sizes]
            lines.append((escaped(machine.name), arithmetic, *values))
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


def facts(machine: Machine) -> list[tuple[str, object]]:
    """What the times of a device depend on, as far as it is known, in words and units."""
    f, e = machine.evidence.targetrl.fingerprint, machine.evidence.targetrl.environment
    named: tuple[tuple[str, object], ...] = (
        ("processor", f.processor), ("cores", f.cores), ("logical cores", f.logical_cores), ("usable cores", f.usable_cores),
        ("CPU quota", f.cpu_quota), ("threads", f.threads), *e.thread_settings.items(), ("memory", f"{f.memory_gib:.1f} GiB"),
        ("GPU", f.gpu), ("driver", f.driver), ("CUDA", f.cuda), ("torch", f.torch), *f.packages.items(), ("Python", f.python),
        ("system", f.system), ("instructions", f.cpu_capability), ("compiler", f.kernel_compiler or f.compiler),
        ("compiler of torch", f.torch_compiler), ("flags of the environment", f.compile_flags), ("commit", f.commit),
        ("uncommitted changes", _yes_or_no(f.dirty)), ("busy elsewhere", _per_cent(e.busy_elsewhere)), ("stolen", _per_cent(e.stolen)),
        ("governor", e.governor), ("turbo", _yes_or_no(e.turbo)),
    )  # fmt: skip
    return [(name, value) for name, value in named if value is not None]


def _yes_or_no(value: bool | None) -> str | None:  # noqa: FBT001 — a value, no switch
    return None if value is None else "yes" if value else "no"


def _per_cent(share: float | None) -> str | None:
    return None if share is None else f"{share:.1%}"
