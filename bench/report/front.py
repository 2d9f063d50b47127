"""The front page's figures: blocks between two comments, each made anew from one device's evidence."""

import re
import statistics
from collections.abc import Callable

from bench.evidence.machine import Machine, meanings
from bench.evidence.schema import Benchmark
from bench.report.tables import fastest_rows, speeds
from bench.tables.cells import coded, duration, escaped, rough, scaled
from bench.tables.table import Reasons

AMBIGUOUS = "policies whose course hangs on a rounding error, held to no bound"

BLOCK = re.compile(r"(<!-- made by python -m bench report: (\w+) -->\n).*?(<!-- end -->\n)", re.DOTALL)


def has_blocks(page: str) -> bool:
    """Whether a page has a figure to be made."""
    return BLOCK.search(page) is not None


def with_blocks(page: str, machine: Machine) -> str:
    """The page with each of its blocks made anew; one without evidence stays as it is."""

    def made(match: re.Match[str]) -> str:
        block = BLOCKS[match[2]](machine) if match[2] in BLOCKS else None
        return match[0] if block is None else f"{match[1]}{block}{match[3]}"

    return BLOCK.sub(made, page)


def _speeds(machine: Machine) -> str | None:
    cells = [cell for cell in machine.cells("steady state") if (cell.objective, cell.arithmetic) == ("detached", "native")]
    cells = [cell for cell in cells if any(other in machine.rows for other in cells if other.variant == cell.variant)]
    if not cells:
        return None
    f, reasons = machine.evidence.targetrl.fingerprint, Reasons()
    caption = (
        f"Policy-steps per second, {cells[0].steps} steps, {escaped(f.processor)}, {f.threads} threads, torch {escaped(f.torch)} "
        "([all tables, with intervals and more](results/README.md)):\n"
    )
    table = speeds(machine, cells, reasons, intervals=False)
    return "\n".join(
        [caption, table, "", *_legend([machine.rows[cell] for cell in cells if cell in machine.rows], machine), *reasons.lines(), ""]
    )


def _legend(rows: list[Benchmark], machine: Machine) -> list[str]:
    """What the letters mean that stand in the table, and what ambiguous policies are, in one line."""
    texts = [f"*{letter}* {text}" for letter, text in meanings(map(machine.marks, rows)).items()]
    texts += [f"ambiguous: {AMBIGUOUS}"] if any(row.extra_info.ambiguous for row in rows) else []
    return [f"{'; '.join(texts)}.  "] if texts else []


def _findings(machine: Machine) -> str | None:
    lines = [line for finding in (_objectives, _fastest, _speed_up, _starting) for line in finding(machine)]
    return "".join(f"- {line}\n" for line in lines) or None


def _objectives(machine: Machine) -> list[str]:
    """What the objectives reach, of the largest population."""
    lines = []
    for objective in ("detached", "pathwise"):
        row = _largest(machine, objective)
        if row is not None:
            n, outcomes = row.extra_info.policies, row.extra_info.outcomes
            shares = {name: f"{outcomes.get(name, 0) / n:.1%}" for name in ("at_target", "collapsed", "saturated", "elsewhere")}
            lines.append(
                f"`{objective}`: of {n:,} policies {shares['at_target']} are at target after {row.extra_info.steps} steps, "
                f"{shares['collapsed']} have collapsed to 0, {shares['saturated']} saturated at 1, {shares['elsewhere']} are elsewhere."
            )
    return lines


def _largest(machine: Machine, objective: str) -> Benchmark | None:
    rows = [row for row in machine.measured("steady state") if row.extra_info.objective == objective]
    return max(rows, key=lambda row: row.extra_info.policies, default=None)


def _fastest(machine: Machine) -> list[str]:
    rows = fastest_rows(machine, "native")
    shown = [f"{coded(rows[n].extra_info.variant)} at N = {n:,} ({scaled(machine.speed(rows[n]).value)})" for n in sorted(rows)]
    return [f"Fastest, in policy-steps per second: {', '.join(shown)}."] if shown else []


def _speed_up(machine: Machine) -> list[str]:
    rows = [row for row in machine.measured("steady state") if row.extra_info.objective == "detached"]
    eager = [row for row in rows if row.extra_info.variant == "eager"]
    best = fastest_rows(machine, "native")
    if not eager or not best:
        return []
    base, top = max(eager, key=lambda row: row.extra_info.policies), best[max(best)]
    ratio = machine.speed(top).value / machine.speed(base).value
    who, n = f"{coded(top.extra_info.variant)} at N = {top.extra_info.policies:,}", base.extra_info.policies
    return [f"{who} does some {rough(ratio)} × the policy-steps per second of `eager` at N = {n:,}, the largest that was measured of it."]


def _starting(machine: Machine) -> list[str]:
    shown = []
    for row in machine.measured("cold start"):
        facts = row.extra_info
        cache = f", cache {facts.cache}" if facts.cache else ""
        shown.append(f"{coded(facts.variant)}{cache}: {duration(statistics.median(row.stats.data))}")
    return [f"From the start of a process to its first trained population: {'; '.join(shown)}."] if shown else []


BLOCKS: dict[str, Callable[[Machine], str | None]] = {"speeds": _speeds, "findings": _findings}
