"""What the self-test measured, as evidence, and how often the rule is wrong by it. Imports no torch.

``<label>-<device>-verdicts.json``, and beside a load ``…-load-verdicts.json``, keep everything that the rule decides by, so that anyone can
decide anew, by this rule or another. The trials of a row that were timed in the same processes are a cluster: a process whose HEAD happens
to lie worse in memory is slower in all of them. What is known of the rule, its interval, is counted over clusters.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Annotated, Literal, NamedTuple

from msgspec import Meta, Struct

from bench.evidence.records import CONFIDENCE, Interval
from bench.evidence.schema import Device, Fingerprint, Label, Word
from bench.verdicts import rule
from bench.verdicts.rule import Decision, Sample

SUFFIX = "-verdicts.json"

Logarithm = Annotated[float, Meta(ge=-50, le=50)]
Logarithms = Annotated[list[Logarithm], Meta(max_length=1000)]


AGAIN = 7
"""How often a set of 16 processes has the A/A test of every row."""

PLANTED = (0.01, 0.02, 0.05, 0.10)
"""The slowdowns that a set has every row with, once each."""

STOCK_PER_CENT = 5.0
"""The threshold of pytest-benchmark that the rule is set beside: ``--benchmark-compare-fail=median:5%``."""


class Trial(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A row of 16 processes: HEAD is BASE, held up by ``planted`` of its time.

    Trials of one ``group`` are decided together, as the rows of a run are. ``paired`` are logarithms of ratios, one a process; ``base``
    and ``head`` logarithms of median seconds, of the processes in which that side was alone, empty where the row was not timed alone.
    Trials of one ``set_number`` were timed in the same 16 processes: those of one row are not independent. In files from before that was
    recorded, a set has ``AGAIN`` groups and one for each of ``PLANTED``.
    """

    group: Annotated[int, Meta(ge=0)]
    row: Word
    planted: Annotated[float, Meta(ge=0, le=1)]
    paired: Annotated[list[Logarithm], Meta(min_length=16, max_length=16)]
    base: Logarithms
    head: Logarithms
    set_number: Annotated[int, Meta(ge=0)] | None = None

    @property
    def cluster(self) -> tuple[int, str]:
        """The set of processes and the row: what the trials of one have in common may move all of them together."""
        return self.group // (AGAIN + len(PLANTED)) if self.set_number is None else self.set_number, self.row

    @property
    def checked(self) -> bool:
        """Whether the row was timed alone, so that processes apart may turn SAME into UNCLEAR."""
        return min(len(self.base), len(self.head)) > 1


class Trials(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file."""

    schema: Literal[1]
    label: Label
    device: Device
    beside_load: bool
    fingerprint: Fingerprint
    trials: Annotated[list[Trial], Meta(max_length=100_000)]


class Tally(NamedTuple):
    """How many of a number of comparisons ended so."""

    hits: int
    of: int


class Rates(NamedTuple):
    """Of the trials with one planted slowdown: SLOWER, FASTER and the rest, those decided at the first look, and stock alarms.

    ``same`` is of those trials alone in which processes apart could have said UNCLEAR. ``clusters`` are those with a false alarm in any of
    their trials or, where a slowdown was planted, with SLOWER in every one: of the two ways to count, the one that flatters less.
    """

    planted: float
    slower: Tally
    faster: Tally
    same: Tally
    early: Tally
    stock: Tally
    clusters: Tally


def rates(trials: Iterable[Trial]) -> list[Rates]:
    """Counts by planted slowdown, the smallest first; 0 is the A/A test, whose every SLOWER or FASTER is a false alarm."""
    groups: dict[tuple[float, int], list[Trial]] = defaultdict(list)
    for trial in trials:
        groups[trial.planted, trial.group].append(trial)
    counts = []
    for planted in sorted({planted for planted, _ in groups}):
        mine = [group for (held, _), group in groups.items() if held == planted]
        decided = [pair for group in mine for pair in decide(group)]
        counts.append(
            Rates(
                planted=planted,
                slower=_count(decision.verdict == "SLOWER" for _, decision in decided),
                faster=_count(decision.verdict == "FASTER" for _, decision in decided),
                same=_count(decision.verdict == "SAME" for trial, decision in decided if trial.checked),
                early=_count(decision.processes < rule.LAST for _, decision in decided),
                stock=_count(alarm for trial, _ in decided for alarm in stock_alarms(trial)),
                clusters=_clusters(decided, slowed=planted > 0),
            )
        )
    return counts


def _clusters(decided: Iterable[tuple[Trial, Decision]], *, slowed: bool) -> Tally:
    """Those found slower in every trial, where there is something to be found; else those with an alarm in any."""
    verdicts: dict[tuple[int, str], list[str]] = defaultdict(list)
    for trial, decision in decided:
        verdicts[trial.cluster].append(decision.verdict)
    if slowed:
        return _count(all(verdict == "SLOWER" for verdict in mine) for mine in verdicts.values())
    return _count(any(verdict in ("SLOWER", "FASTER") for verdict in mine) for mine in verdicts.values())


def _count(hits: Iterable[bool]) -> Tally:
    all_hits = list(hits)
    return Tally(sum(all_hits), len(all_hits))


def decide(group: list[Trial]) -> list[tuple[Trial, Decision]]:
    """What the rule says of trials that are decided together, at its looks; they are of different rows."""
    decided: dict[str, Decision] = {}
    for processes in rule.LOOKS:
        seen = {trial.row: Sample(trial.paired[:processes], trial.base, trial.head) for trial in group if trial.row not in decided}
        if seen:
            decided |= rule.look(seen, processes)
    return [(trial, decided[trial.row]) for trial in group]


def stock_alarms(trial: Trial) -> list[bool]:
    """What pytest-benchmark says of the same processes: one of BASE's medians against one of HEAD's, again and again."""
    return [math.expm1(head - base) * 100 > STOCK_PER_CENT for base, head in zip(trial.base, trial.head, strict=False)]


def proportion(hits: int, of: int) -> Interval:
    """A share and its exact 95 % interval (Clopper and Pearson 1934)."""
    tail = (1 - CONFIDENCE) / 2
    low = 0.0 if hits == 0 else _solve(lambda share: 1 - _at_most(hits - 1, of, share), tail)
    high = 1.0 if hits == of else _solve(lambda share: 1 - _at_most(hits, of, share), 1 - tail)
    return Interval(low, hits / of, high)


def _at_most(hits: int, of: int, share: float) -> float:
    return math.fsum(math.comb(of, k) * share**k * (1 - share) ** (of - k) for k in range(hits + 1))


def _solve(rising: Callable[[float], float], value: float) -> float:
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < value else (low, middle)
    return (low + high) / 2
