"""How often the rule is wrong, and what it finds: counted over trials, and over clusters of trials. Imports no torch.

The trials of a row that were timed in the same processes are a cluster: a process whose HEAD happens to lie worse in memory is slower in
all of them, so that they do not count as so many. What is known of the rule, its interval, is counted over clusters.
"""

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
    """Of the trials with one planted slowdown: SLOWER, FASTER and the rest, those decided at the first look, and stock alarms.

    ``same`` is of those trials alone in which processes apart could have said UNCLEAR. ``clusters`` are those with a false alarm in any of
    their trials or, where a slowdown was planted, with SLOWER in every one: of the two ways to count, the one that flatters less.
    """

    planted: float
    slower: Count
    faster: Count
    same: Count
    early: Count
    stock: Count
    clusters: Count


def rates(trials: Iterable[Trial]) -> list[Rates]:
    """Counts by planted slowdown, the smallest first; 0 is the A/A test, whose every SLOWER or FASTER is a false alarm."""
    groups: dict[tuple[float, int], list[Trial]] = defaultdict(list)
    for trial in trials:
        groups[trial.planted, trial.group].append(trial)
    found = []
    for planted in sorted({planted for planted, _ in groups}):
        mine = [group for (held, _), group in groups.items() if held == planted]
        decided = [pair for group in mine for pair in decide(group)]
        found.append(
            Rates(
                planted=planted,
                slower=_count(one.verdict == "SLOWER" for _, one in decided),
                faster=_count(one.verdict == "FASTER" for _, one in decided),
                same=_count(one.verdict == "SAME" for trial, one in decided if trial.checked),
                early=_count(one.processes < rule.LAST for _, one in decided),
                stock=_count(alarm for trial, _ in decided for alarm in stock_alarms(trial)),
                clusters=_clusters(decided, slowed=planted > 0),
            )
        )
    return found


def _clusters(decided: Iterable[tuple[Trial, Decision]], *, slowed: bool) -> Count:
    """Those found slower in every trial, where there is something to be found; else those with an alarm in any."""
    verdicts: dict[tuple[int, str], list[str]] = defaultdict(list)
    for trial, decision in decided:
        verdicts[trial.cluster].append(decision.verdict)
    if slowed:
        return _count(all(verdict == "SLOWER" for verdict in mine) for mine in verdicts.values())
    return _count(any(verdict in ("SLOWER", "FASTER") for verdict in mine) for mine in verdicts.values())


def _count(hits: Iterable[bool]) -> Count:
    all_hits = list(hits)
    return Count(sum(all_hits), len(all_hits))


def decide(group: list[Trial]) -> list[tuple[Trial, Decision]]:
    """What the rule says of trials that are decided together, at its looks; they are of different rows."""
    decided: dict[str, Decision] = {}
    for processes in rule.LOOKS:
        seen = {one.row: Sample(one.paired[:processes], one.base, one.head) for one in group if one.row not in decided}
        if seen:
            decided |= rule.look(seen, processes)
    return [(trial, decided[trial.row]) for trial in group]


def stock_alarms(trial: Trial) -> list[bool]:
    """What pytest-benchmark says of the same processes: one of BASE's medians against one of HEAD's, again and again."""
    return [math.expm1(head - base) * 100 > STOCK_PER_CENT for base, head in zip(trial.base, trial.head, strict=False)]
