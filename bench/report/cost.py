"""What a call costs by the number of policies: the line of each variant, and where another is the fastest; and when compiling pays."""

import math
import statistics
from collections.abc import Iterable, Mapping

from bench.cost.curves import Curve, preparing, problems, timed
from bench.cost.predict import Crossing, crossings_within, fit, times_within
from bench.evidence import records
from bench.evidence.machine import Machine
from bench.evidence.schema import Benchmark
from bench.tables.cells import coded, duration, escaped, scaled
from bench.tables.table import markdown_table

TOLERANCE = 0.25
"""Misfit above which a line does not describe what was measured: caches, or threads that start only from some N."""

PAIRS = (("fused", "batched"), ("batched-compiled", "batched"), ("compiled", "eager"))
"""A variant that compiles, and the same without."""

INTRODUCTION = f"""\
- What a call for N policies costs is told as t(N) = a + b·N, neither negative, by the least squares of (a + b·N) / t − 1; the
  misfit is the largest ratio between a row and its line. Above {TOLERANCE:.0%} (in bold) the line is not what happens: caches, or
  threads that start only from some N. Two sizes always have a line through them; one has none. From
  which N on another variant is the fastest is told by straight lines from row to row instead, as by `python -m bench recommend`.
"""


def cost_section(machine: Machine) -> Iterable[str]:
    """The lines, a table for each problem, and what is the fastest."""
    known = {problem: {name: curve for name, curve in group.items() if len(curve) > 1} for problem, group in problems(machine).items()}
    if not any(known.values()):
        return
    yield "### What a call costs: a for itself, b for each policy\n"
    headers = ("variant", "a, of a call", "b, of a policy", "policy-steps/s of very many", "sizes", "misfit")
    for problem, group in known.items():
        if group:
            yield f"{escaped(problem.words)}:\n"
            yield markdown_table([_line(name, problem.steps, curve) for name, curve in group.items()], headers) + "\n"
            yield _fastest(group)


def payoff_section(machine: Machine) -> Iterable[str]:
    """Policy-steps after which compiling has paid for itself, by pair and state of the compiler's cache."""
    cold = {(row.extra_info.variant, row.extra_info.cache): row for row in machine.measured("cold start")}
    lines = [
        _payoff(row, cold[plain, None])
        for variant, plain in PAIRS
        if (plain, None) in cold
        for (name, _), row in cold.items()
        if name == variant
    ]
    if lines:
        yield "### When compiling pays: what it costs more to start, importing left out, over what it saves for each policy-step\n"
        yield markdown_table(lines, ("", "compiler's cache", "starting costs more", "at N", "paid back after")) + "\n"


def _payoff(row: Benchmark, plain: Benchmark) -> tuple[str, ...]:
    facts, cost = row.extra_info, max(preparing(row).value - preparing(plain).value, 0.0)
    saved = _seconds_per_policy_step(plain) - _seconds_per_policy_step(row)
    names = f"{coded(facts.variant)} instead of {coded(plain.extra_info.variant)}"
    paid = f"{scaled(cost / saved)} policy-steps" if saved > 0 else "never"
    return names, facts.cache or "–", duration(cost), f"{facts.policies:,}", paid


def _seconds_per_policy_step(row: Benchmark) -> float:
    steady = statistics.median(statistics.median(process.steady_seconds) for process in row.extra_info.processes)
    return steady / records.work(row.extra_info)


def _line(variant: str, steps: int, curve: Curve) -> tuple[str, ...]:
    points = timed(curve)
    a, b = fit(points)
    misfit = max(max(t / (a + b * n), (a + b * n) / t) for n, t in points) - 1
    speed, bold = scaled(steps / b) if b else "–", "**" if misfit > TOLERANCE else ""
    return coded(variant), duration(a) if a else "0", duration(b) if b else "0", speed, str(len(curve)), f"{bold}{misfit:.0%}{bold}"


def _fastest(group: Mapping[str, Curve]) -> str:
    """The fastest at the smallest N, and from where on others are."""
    smallest = min(curve[0].policies for curve in group.values())
    there = times_within(group, smallest)
    changes = [
        (f"N = {smallest:,}", min(there, key=there.__getitem__)),
        *((_where(change), change.after) for change in crossings_within(group)),
    ]
    return f"The fastest: {', '.join(f'from {n} on {coded(variant)}' for n, variant in changes)}.\n"


def _where(crossing: Crossing[str]) -> str:
    if crossing.at is None:
        return f"some N between {crossing.low:,} and {crossing.high:,}"
    return f"{math.floor(crossing.at) + 1:,}" if crossing.at < 1000 else scaled(crossing.at)  # noqa: PLR2004 — three digits
