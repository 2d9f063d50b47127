"""What ``python -m bench recommend`` prints: a table, and a sentence for what to take."""

from collections.abc import Iterable, Sequence

from tabulate import tabulate

from bench.cost.advice import Advice, Next, Pick
from bench.cost.candidates import Choice
from bench.evidence.machine import meanings
from bench.evidence.records import Interval
from bench.tables.cells import duration, ratio, with_interval

COLD = "from the start of a process"
CACHES = {"empty": "With the compiler's cache empty: ", "warm": "With it warm: ", None: ""}


def text(advice: Advice, note: str) -> str:
    """All of it, in lines."""
    problem = f"{advice.policies:,} policies, {advice.steps:,} steps, {advice.objective}, {advice.arithmetic} arithmetic"
    legend = [f"{letter}: {text}" for letter, text in meanings(choice.marks for choice in advice.choices).items()]
    reasons = list(dict.fromkeys(choice.absence for choice in advice.choices if choice.absence))
    return "\n".join([
        f"{problem}, {COLD if advice.cold else 'compiled and warm'}. {note}",
        "",
        _table(advice, reasons),
        *(f"({number}) not measured: {reason}" for number, reason in enumerate(reasons, start=1)),
        "",
        *(line for pick in advice.picks for line in _sentences(pick)),
        *(f"Weak figures: {reason}." for reason in advice.weak),
        *legend,
    ])  # fmt: skip


def _table(advice: Advice, reasons: Sequence[str]) -> str:
    several = len({(choice.label, choice.device) for choice in advice.choices}) > 1
    best = min((choice.seconds for choice in advice.choices if choice.absence is None), default=advice.choices[0].seconds)
    columns = ["variant", *["device"] * several, *["cache"] * advice.cold, "time", "× fastest", "identity", "weak", "remarks"]
    lines = [
        [choice.variant, *[f"{choice.label}, {choice.device}"] * several, *[choice.cache or "–"] * advice.cold, _seconds(choice),
         ratio(choice.seconds / best), choice.identity, choice.marks, _remarks(choice, reasons)]
        for choice in advice.choices
    ]  # fmt: skip
    return tabulate(lines, headers=columns, disable_numparse=True)


def _remarks(choice: Choice, reasons: Sequence[str]) -> str:
    remarks = "; ".join(choice.remarks)
    return remarks if choice.absence is None else f"{remarks} ({reasons.index(choice.absence) + 1})"


def _sentences(pick: Pick) -> Iterable[str]:
    best = pick.best
    use = f"use {_named(best)}: {duration(best.seconds)}, {best.identity}{_over(best, pick.runner_up)}."
    yield CACHES[pick.cache] + use if CACHES[pick.cache] else f"{use[0].upper()}{use[1:]}"
    if pick.next is None:
        yield f"No other overtakes it up to N = {pick.up_to:,}."
    else:
        beyond = " (extrapolated)" if pick.next.extrapolated else ""
        yield f"From N = {pick.next.policies:,} on {_named(pick.next)} is faster{beyond}."


def _named(choice: Choice | Next) -> str:
    return f"{choice.variant} on {choice.device} ({choice.label})"


def _over(best: Choice, other: Choice | None) -> str:
    if other is None:
        return ""
    doubt = "; their intervals overlap" if other.low <= best.high else ""
    return f", {ratio(other.seconds / best.seconds)} × as fast as the runner-up, {_named(other)}{doubt}"


def _seconds(choice: Choice) -> str:
    return with_interval(Interval(choice.low, choice.seconds, choice.high), seconds=True)
