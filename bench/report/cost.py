"""What a call costs by the number of policies: the lines of each device, where they cross, and when compiling pays."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

from bench.cost.crossing import NEAR, Crossing, crossings
from bench.cost.draws import DRAWS
from bench.cost.model import TOLERANCE, Model
from bench.evidence.kinds import Kind
from bench.evidence.machine import Machine
from bench.evidence.records import Interval
from bench.report.cells import coded, duration, escaped, scaled
from bench.report.payoff import Payoff, payoffs, single_run
from bench.report.tables import markdown_table

INTRODUCTION = f"""- What a call for N policies costs is told as t(N) = a + b·N, a and b not negative, by the least squares of
  log t − log(a + b·N); the misfit is the largest ratio between a row and its line. Above {TOLERANCE:.0%} (in bold) the line is not what
  happens: caches, or threads that start only from some N. Two sizes always have a line through them (*exact*: no row is left to tell
  whether it holds); one has none. Intervals: every row is drawn anew within its own, as log-normal and apart from the others, {DRAWS}
  times, and all of it is computed again; where an end is open, *at most* or *at least* gives the other. Crossings are *extrapolated*
  where one of the two was not measured up to there, and not told beyond {NEAR} times that. A single cold run counts the start: from
  that N on it is as fast as without compiling; a start that was measured in one process counts as exact there.
  `python -m bench recommend` goes by the rows themselves.
"""


def cost_section(machine: Machine, models: Mapping[Kind, Model]) -> Iterable[str]:
    """The lines, a table for each problem, and their crossings."""
    if not models:
        return
    yield "### What a call costs: a for itself, b for each policy\n"
    for problem in dict.fromkeys(kind.problem for kind in models):
        group = [model for kind, model in models.items() if kind.problem == problem]
        yield f"{escaped(problem.words)}:\n"
        headers = ("variant", "a, of a call", "b, of a policy", "of a policy-step", "policy-steps/s of very many", "sizes", "misfit")
        yield markdown_table([_line(model) for model in group], headers) + "\n"
        yield from _crossings(group)
    if machine.disturbances:
        yield "All of this is weak, as the rows are: the machine was disturbed.\n"


def payoff_section(machine: Machine, models: Mapping[Kind, Model]) -> Iterable[str]:
    """Policy-steps and policies after which compiling has paid for itself."""
    lines = [
        (f"{coded(one.variant)} instead of {coded(one.plain)}", one.cache, duration(one.cost), f"{one.policies:,}",
         f"{scaled(one.policy_steps)} policy-steps" if one.policy_steps else "never", _single_run(one, models))
        for one in payoffs(machine)
    ]  # fmt: skip
    if lines:
        yield "### When compiling pays: what it costs more to start, over what it saves for each policy-step\n"
        headers = ("", "compiler's cache", "starting costs more", "at N", "paid back after", "a single cold run, from N =")
        yield markdown_table(lines, headers) + "\n"


def _single_run(one: Payoff, models: Mapping[Kind, Model]) -> str:
    found = single_run(one, models)
    if found is None:
        return "–"
    beyond = math.isfinite(found.value) and found.value > min(models[kind].largest for kind in one.kinds)
    return _policies(found) + (", extrapolated" if beyond else "")


def _line(model: Model) -> tuple[str, ...]:
    return (
        coded(model.kind.variant),
        _open(model.dispatch, duration),
        _open(model.per_policy, duration),
        _open(model.per_policy_step, duration),
        _open(model.speed, scaled),
        str(len(model.curve)),
        _misfit(model),
    )


def _misfit(model: Model) -> str:
    if not model.holds:
        return f"**{model.misfit:.0%}**"
    # Through two rows, unless a or b would have had to be negative.
    return "exact" if model.exact and model.misfit < 1e-3 else f"{model.misfit:.0%}"  # noqa: PLR2004 — what the grid's ends leave


def _open(interval: Interval, shown: Callable[[float], str]) -> str:
    """A value with its interval; what the rows do not tell from nothing, or from without end, by its other end alone."""
    low, value, high = interval
    if low == 0:
        return f"at most {shown(high)}"
    if math.isinf(high):
        return f"at least {shown(low)}"
    return shown(value) if low == high else f"{shown(value)} [{shown(low)}, {shown(high)}]"


def _crossings(group: Sequence[Model]) -> Iterable[str]:
    lines = [
        (coded(one.faster.kind.variant), coded(one.slower.kind.variant), _policies(one.policies), _remark(one)) for one in crossings(group)
    ]
    if lines:
        yield markdown_table(lines, ("is faster", "than", "from N =", "")) + "\n"


def _remark(one: Crossing) -> str:
    doubts = ["extrapolated"] * one.extrapolated + ["a line does not hold"] * (not (one.faster.holds and one.slower.holds))
    return ", ".join(doubts)


def _policies(interval: Interval) -> str:
    """An N with its interval: whole, at least 1, or never."""
    low, value, high = (_whole(end) for end in interval)
    return value if low == high else f"{value} [{low}, {high}]"


def _whole(policies: float) -> str:
    if math.isinf(policies):
        return "never"
    return f"{max(math.ceil(policies), 1):,}" if policies < 1000 else scaled(policies)  # noqa: PLR2004 — three digits
