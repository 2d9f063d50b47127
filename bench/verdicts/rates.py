"""How often the rule is wrong, and what it finds: counted over trials. Imports no torch."""

import math
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from bench.verdicts import rule
from bench.verdicts.rule import Decision, Sample
from bench.verdicts.trials import Trial

STOCK_PER_CENT = 5.0
"""The threshold of pytest-benchmark that the rule is set beside: ``--benchmark-compare-fail=median:5%``."""


class Count(NamedTuple):
    """How many of a number of comparisons ended so."""

    found: int
    of: int


class Rates(NamedTuple):
    """Of the trials with one planted slowdown: SLOWER, FASTER and the rest, those decided at the first look, and stock alarms."""

    planted: float
    slower: Count
    faster: Count
    same: Count
    early: Count
    stock: Count


def rates(trials: Iterable[Trial]) -> list[Rates]:
    """Counts by planted slowdown, the smallest first; 0 is the A/A test, whose every SLOWER or FASTER is a false alarm."""
    groups: dict[tuple[float, int], list[Trial]] = defaultdict(list)
    for trial in trials:
        groups[trial.planted, trial.group].append(trial)
    found = []
    for planted in sorted({planted for planted, _ in groups}):
        mine = [group for (held, _), group in groups.items() if held == planted]
        decisions = [decision for group in mine for decision in decide(group)]
        stock = [alarm for group in mine for trial in group for alarm in stock_alarms(trial)]
        slower, faster, same = (_count(one.verdict == verdict for one in decisions) for verdict in ("SLOWER", "FASTER", "SAME"))
        found.append(Rates(planted, slower, faster, same, _count(one.processes < rule.LAST for one in decisions), _count(stock)))
    return found


def _count(hits: Iterable[bool]) -> Count:
    all_hits = list(hits)
    return Count(sum(all_hits), len(all_hits))


def decide(group: list[Trial]) -> list[Decision]:
    """What the rule says of trials that are decided together, at its looks."""
    decided: dict[str, Decision] = {}
    for processes in rule.LOOKS:
        seen = {one.row: Sample(one.paired[:processes], one.base, one.head) for one in group if one.row not in decided}
        if seen:
            decided |= rule.look(seen, processes)
    return list(decided.values())


def stock_alarms(trial: Trial) -> list[bool]:
    """What pytest-benchmark says of the same processes: one of BASE's medians against one of HEAD's, again and again."""
    return [math.expm1(head - base) * 100 > STOCK_PER_CENT for base, head in zip(trial.base, trial.head, strict=False)]
