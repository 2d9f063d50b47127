"""What is said of one device: a section a question, in the order in which a reader asks."""

import statistics
from collections.abc import Iterable, Sequence
from functools import partial

from bench.evidence import records
from bench.evidence.kinds import kind_of
from bench.evidence.machine import Machine, meanings
from bench.evidence.records import Interval
from bench.evidence.schema import Benchmark, Cell, Limits, Question
from bench.limit.compute import limit_of
from bench.report.cost import cost_section, payoff_section
from bench.report.tables import by_problem, facts, identity, shown, speeds, variants, variants_by_size
from bench.tables.cells import coded, duration, escaped, ratio, scaled, size, with_interval
from bench.tables.table import Reasons, markdown_table


def device_section(machine: Machine) -> str:
    """Everything about one device."""
    reasons = Reasons()
    parts = [
        f"## {escaped(machine.name)}\n",
        _facts(machine),
        *_steady_state(machine, reasons),
        *_over_eager(machine),
        *_limit(machine),
        *cost_section(machine),
        *_cold_start(machine, reasons),
        *payoff_section(machine),
        *_latency(machine, reasons),
        *_memory(machine),
        *_growth(machine, reasons),
        *_sharding(machine, reasons),
        *_time_to_target(machine),
        *_construction(machine, reasons),
    ]
    nameless = [f"{escaped(text)}  " for text in machine.nameless]
    return "\n".join([*parts, *_legend(machine), *reasons.lines(), *nameless]).rstrip() + "\n"


def _facts(machine: Machine) -> str:
    part = machine.evidence.targetrl
    lines = [", ".join(f"{escaped(name)} {escaped(value)}" for name, value in facts(machine)) + "."]
    if machine.spread:
        deviation, freedom = machine.spread
        lines.append(f"Medians differ by {deviation:.1%} from process to process (standard deviation, {freedom} degrees of freedom).")
    if machine.again:
        low, ratio, high = machine.again
        lines.append(f"The row that was timed twice took {ratio:.3f} [{low:.3f}, {high:.3f}] × as long the second time.")
    clock = part.clock
    times = " and ".join(f"{k} × the work in {duration(max(s, 1e-9))}" for k, s in zip(clock.work, clock.seconds, strict=False))
    lines.append(f"Clock: {times}; its steps are {duration(max(clock.resolution_seconds, 1e-9))}.")
    lines += [f"**Weak figures: {escaped(doubt)}.**" for doubt in machine.doubts]
    return "\n".join(lines) + "\n"


def _steady_state(machine: Machine, reasons: Reasons) -> Iterable[str]:
    for problem, cells in by_problem(machine.cells("steady state")).items():
        yield f"### {escaped(problem.words)}: policy-steps per second\n"
        yield speeds(machine, cells, reasons) + "\n"


def _over_eager(machine: Machine) -> Iterable[str]:
    """Speeds as multiples of eager's, which is one speed: its cost per policy does not fall with their number."""
    measured = [cell for cell in machine.cells("steady state") if cell in machine.rows]
    for problem, cells in by_problem(measured).items():
        eager = [cell for cell in measured if kind_of(cell) == problem._replace(variant="eager", arithmetic="native")]
        if not eager:
            continue
        largest = max(eager, key=lambda cell: cell.policies)
        base = machine.speed(machine.rows[largest]).value
        names = f"{escaped(problem.objective)}, {escaped(problem.arithmetic)} arithmetic"
        yield f"### {names}: × `eager` (at its largest measured N, {largest.policies:,}: {scaled(base)})\n"
        yield variants_by_size(machine, cells, partial(_times, machine, base)) + "\n"


def _times(machine: Machine, base: float, row: Benchmark) -> str:
    return ratio(machine.speed(row).value / base)


def _limit(machine: Machine) -> Iterable[str]:
    """What the device can do at most, and the share of it that each steady row comes to."""
    part = machine.evidence.targetrl
    if part.limits is None:
        if part.no_limits is not None:
            yield f"### The limit\n\nNot measured: {escaped(part.no_limits)}\n"
        return
    yield "### The limit: what the device can do at most, and each row's share of it\n"
    yield _rates(part.limits) + "\n"
    measured = [cell for cell in machine.cells("steady state") if cell in machine.rows]
    for problem, cells in by_problem(measured).items():
        limit = limit_of(part, cells[0])
        if limit is not None:
            yield f"{escaped(problem.words)}: at most {scaled(limit.speed)} policy-steps/s; {limit.binds} binds.\n"
            yield variants_by_size(machine, cells, partial(_share, machine, limit.speed)) + "\n"


def _share(machine: Machine, limit: float, row: Benchmark) -> str:
    share = machine.speed(row).value / limit
    return f"{share:.2%}" if share < 0.1 else f"{share:.0%}"  # noqa: PLR2004 — two digits or more


def _rates(limits: Limits) -> str:
    """What was measured of a device, in words."""
    rates = ", ".join(f"{scaled(getattr(limits, name))} {name}" for name in ("additions", "multiplications", "divisions", "roots"))
    replaced, mixed = "division and root by the divider alone; ", ""
    if limits.newton_divisions is not None and limits.newton_roots is not None:
        newton = f"{scaled(limits.newton_divisions)} divisions, {scaled(limits.newton_roots)} roots"
        replaced = f"{newton} by approximation and Newton steps; "
        mixed = "" if limits.mixed is None else f"{scaled(limits.mixed)} additions and multiplications in turns; "
    copied = f"{scaled(limits.copied_bytes)} bytes read and written by a copy"
    return f"Per second and on all threads: {rates} of float32 numbers; {replaced}{mixed}{copied}."


def _section(title: str, lines: Sequence[Iterable[object]], headers: Sequence[str]) -> Iterable[str]:
    """A heading and a table, if it has lines."""
    if lines:
        yield f"### {title}\n"
        yield markdown_table(lines, headers) + "\n"


def _cold_start(machine: Machine, reasons: Reasons) -> Iterable[str]:
    lines = []
    for cell in machine.cells("cold start"):
        row = machine.rows.get(cell)
        values = [reasons.cell(machine.absent.get(cell)), *[""] * 5] if row is None else _phases(row)
        lines.append((coded(cell.variant), f"{cell.policies:,}", cell.cache or "–", *values))
    headers = ("variant", "N", "compiler's cache", "all", "import", "prepare", "first call", "second call", "memory growth")
    return _section("Cold and warm: a fresh process to its first trained population", lines, headers)


def _phases(row: Benchmark) -> list[str]:
    """Of a cold start the whole, its phases, and its memory."""
    phases = [
        duration(statistics.median(getattr(process, name) for process in row.extra_info.processes))
        for name in ("import_seconds", "prepare_seconds", "first_call_seconds", "second_call_seconds")
    ]
    memory = records.peak_memory(row.extra_info)
    whole = with_interval(records.median_interval(row.stats.data), seconds=True)
    return [whole, *phases, "" if memory is None else size(memory)]


def _latency(machine: Machine, reasons: Reasons) -> Iterable[str]:
    lines = []
    for cell in machine.cells("latency"):
        row = machine.rows.get(cell)
        lines.append((coded(cell.variant), shown(machine, cell, reasons, partial(_per_step, machine)), identity([row] if row else [])))
    return _section("One policy, a step at a time, each output looked at: time of one step", lines, ("variant", "a step", "identity"))


def _per_step(machine: Machine, row: Benchmark) -> str:
    return with_interval(Interval(*(value / row.extra_info.steps for value in machine.seconds(row))), seconds=True)


def _memory(machine: Machine) -> Iterable[str]:
    """Growth of memory of the steady state's rows that have it."""
    rows = [(row.extra_info, row.extra_info.peak_memory_bytes) for row in machine.measured("steady state")]
    lines = [
        (coded(facts.variant), f"{facts.policies:,}", escaped(facts.objective), escaped(facts.arithmetic), size(memory),
         f"{memory / facts.policies:.1f} B")
        for facts, memory in rows if memory is not None
    ]  # fmt: skip
    return _section("Growth of memory in one call", lines, ("variant", "N", "objective", "arithmetic", "all", "a policy"))


def _growth(machine: Machine, reasons: Reasons) -> Iterable[str]:
    """Seconds of a call by steps; the steady state's own number of steps stands between."""
    cells = machine.cells("growth with steps")
    by_key = {(cell.variant, cell.steps): cell for cell in cells}
    for cell in machine.cells("steady state"):
        if any(_same_but_steps(cell, other) for other in cells):
            by_key.setdefault((cell.variant, cell.steps), cell)
    counts = sorted({steps for _, steps in by_key})
    lines = []
    for variant in variants(machine, cells):
        first = next(cell for cell in cells if cell.variant == variant)
        values = [shown(machine, by_key.get((variant, steps)), reasons, partial(_seconds, machine)) for steps in counts]
        lines.append((coded(variant), f"{first.policies:,}", *values))
    return _section("How time grows with steps: seconds of a call", lines, ("variant", "N", *(f"{steps} steps" for steps in counts)))


def _same_but_steps(cell: Cell, other: Cell) -> bool:
    return cell.policies == other.policies and kind_of(cell) == kind_of(other)._replace(steps=cell.steps)


def _seconds(machine: Machine, row: Benchmark) -> str:
    return with_interval(machine.seconds(row), seconds=True)


def _sharding(machine: Machine, reasons: Reasons) -> Iterable[str]:
    """Ranks × N."""
    cells = machine.cells("sharding")
    sizes = sorted({cell.policies for cell in cells})
    lines = []
    for ranks in sorted({cell.ranks or 1 for cell in cells}):
        mine = {cell.policies: cell for cell in cells if cell.ranks == ranks}
        lines.append((f"{ranks:,}", *(shown(machine, mine.get(n), reasons, partial(_shared, machine)) for n in sizes)))
    names = ", ".join(dict.fromkeys(coded(cell.variant) for cell in cells))
    title = f"Ranks that train together, a thread or a GPU each, {names}: policy-steps per second, and efficiency"
    return _section(title, lines, ("ranks", *(f"N = {n:,}" for n in sizes)))


def _shared(machine: Machine, row: Benchmark) -> str:
    """The speed of ranks and, of several, their efficiency beside the one of as many policies."""
    facts = row.extra_info
    others = (other for other in machine.measured("sharding") if other.extra_info.ranks == 1)
    alone = next((other for other in others if other.extra_info.policies == facts.policies), None)
    share = "" if alone is None or facts.ranks in (None, 1) else f", {_efficiency(alone, row, facts.ranks or 1)}"
    return scaled(machine.speed(row).value) + share


def _efficiency(alone: Benchmark, together: Benchmark, ranks: int) -> str:
    """The speed of ranks over that of as many single ones, with its interval by the rounds: each row's are of processes that go on."""
    gain = records.quotient(records.median_interval(alone.stats.data), records.median_interval(together.stats.data))
    low, value, high = (f"{end / ranks:.0%}" for end in gain)
    return f"{value} [{low}, {high}]"


def _time_to_target(machine: Machine) -> Iterable[str]:
    lines = []
    for row in machine.measured("steady state"):
        facts = row.extra_info
        if facts.objective == "pathwise":
            needed = facts.steps_to_target
            derived = duration(machine.seconds(row).value / facts.steps * needed) if needed is not None else "never"
            lines.append((coded(facts.variant), f"{facts.policies:,}", "–" if needed is None else needed, derived))
    title = "Until 95 % of the policies are at target, pathwise: derived, steps a sample of 10,000 needs × measured time of one"
    return _section(title, lines, ("variant", "N", "steps needed", "time (derived)"))


def _construction(machine: Machine, reasons: Reasons) -> Iterable[str]:
    names: dict[Question, str] = {
        "construction": "made on the CPU", "to device": "moved to the device", "to host": "moved back to the CPU",
    }  # fmt: skip
    lines = []
    for question, name in names.items():
        for cell in machine.cells(question):
            speed = scaled(machine.speed(machine.rows[cell]).value) if cell in machine.rows else ""
            lines.append((name, f"{cell.policies:,}", shown(machine, cell, reasons, partial(_seconds, machine)), speed))
    return _section("Before and after training: a population is", lines, ("", "N", "in", "policies/s"))


def _legend(machine: Machine) -> list[str]:
    used = meanings(machine.marks(row) for row in machine.evidence.benchmarks)
    return [f"*{letter}* {text}  " for letter, text in used.items()]
