"""The rule: when is one version slower, faster or the same? Imports no torch.

The unit is the process: each yields one logarithm of a row's times, HEAD's over BASE's. Their 20 % trimmed mean, with the winsorised
standard error (Tukey and McLaughlin 1963; Yuen 1974), is looked at twice, after 8 and after 16 processes, and at no other time. Over the
rows of a run Holm's correction keeps the chance of any false alarm below 0.2 % at the first look and 0.3 % at the second, in each
direction: rows that are decided at the first leave fewer that the second can be wrong about.

The interval that a verdict is printed with leaves out as much on each side as its look may be wrong by: it is of 99.6 % after the first
look, 99.4 % after the second, and 99.6 % of processes apart, each of its own row, without Holm's correction.
"""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from bench.evidence import student

Verdict = Literal["FASTER", "SLOWER", "SAME", "UNCLEAR"]

LOOKS = {8: 0.002, 16: 0.003}
"""After how many processes rows are looked at, and the chance of a false alarm then, in each direction, over all rows together."""

LAST = max(LOOKS)

LEAST_CHANGE, MOST_SAME = math.log(1.005), math.log(1.02)
"""A change is more than half a per cent beyond doubt, and no change is less than two."""

TRIMMED = 0.2

APART_ALPHA, TELLING = 0.002, math.log(1.06)
"""Of the check of processes apart: the chance of a false alarm, and the half-width above which it says nothing."""


@dataclass
class Sample:
    """What the processes said of a row: logarithms of HEAD's time over BASE's, side by side, and of each side's own time, apart."""

    paired: list[float] = field(default_factory=list)
    base: list[float] = field(default_factory=list)
    head: list[float] = field(default_factory=list)


class Ratio(NamedTuple):
    """HEAD's time over BASE's, and the ends of its interval; ``level`` is the share of such intervals that hold the truth."""

    low: float
    value: float
    high: float
    level: float


class Estimate(NamedTuple):
    """A mean of logarithms, its standard error, and the degrees of freedom of that."""

    mean: float
    error: float
    freedom: int

    def half_width(self, alpha: float) -> float:
        """How far the truth may be off, but for a chance of ``alpha`` on each side."""
        return student.quantile(self.freedom, 1 - 2 * alpha) * self.error

    def beyond(self, change: float) -> float:
        """The chance of a mean as large, were the true one no more than ``change``."""
        return student.upper_tail((self.mean - change) / max(self.error, 1e-12), self.freedom)

    def interval(self, alpha: float) -> Ratio:
        """The ratio with its interval, which the truth is outside of with a chance of ``alpha`` on each side."""
        half = self.half_width(alpha)
        return Ratio(math.exp(self.mean - half), math.exp(self.mean), math.exp(self.mean + half), 1 - 2 * alpha)


@dataclass(frozen=True)
class Decision:
    """What is said of a row: ``ratio`` is above 1 where HEAD is slower, and None where there are too few processes to tell."""

    verdict: Verdict
    ratio: Ratio | None
    processes: int
    note: str = ""


def trimmed(values: Sequence[float]) -> Estimate:
    """The 20 % trimmed mean; at least four values, since two have to be left for an error."""
    ordered, n = sorted(values), len(values)
    cut = math.floor(TRIMMED * n)
    kept = ordered[cut : n - cut]
    winsorised = [kept[0]] * cut + kept + [kept[-1]] * cut
    error = statistics.stdev(winsorised) * math.sqrt((n - 1) / (len(kept) * (len(kept) - 1)))
    return Estimate(statistics.fmean(kept), error, len(kept) - 1)


def apart(base: Sequence[float], head: Sequence[float]) -> Estimate | None:
    """The difference of two sets of processes (Welch 1947), None where there are too few; whole degrees of freedom, rounded down."""
    if min(len(base), len(head)) < 2:  # noqa: PLR2004 — a spread
        return None
    parts = [statistics.variance(side) / len(side) for side in (base, head)]
    total = sum(parts)
    difference = statistics.fmean(head) - statistics.fmean(base)
    if total == 0:
        return Estimate(difference, 0.0, 1)
    freedom = total**2 / sum(part**2 / (len(side) - 1) for part, side in zip(parts, (base, head), strict=True))
    return Estimate(difference, math.sqrt(total), max(1, math.floor(freedom)))


def look(samples: Mapping[str, Sample], processes: int) -> dict[str, Decision]:
    """The rows that are decided after so many processes; at the last look that is every one.

    Args:
        samples: the rows that are not decided yet.
        processes: one of ``LOOKS``.
    """
    alpha = LOOKS[processes]
    estimates = {name: trimmed(sample.paired) for name, sample in samples.items()}
    changes = _changes(estimates, alpha)
    decided: dict[str, Decision] = {}
    for name, estimate in estimates.items():
        ratio = estimate.interval(alpha)
        if name in changes:
            decided[name] = Decision(changes[name], ratio, processes)
        elif processes == LAST:
            decided[name] = _not_changed(estimate, samples[name], ratio)
    return decided


def look_apart(samples: Mapping[str, Sample]) -> dict[str, Decision]:
    """The verdicts where both versions cannot be in one process: by processes apart, which see changes of some 5 % at best."""
    estimates = {name: apart(sample.base, sample.head) for name, sample in samples.items()}
    known = {name: estimate for name, estimate in estimates.items() if estimate is not None}
    changes = _changes(known, APART_ALPHA)
    note = "measured in processes apart, which see no change under some 5 %"
    decided: dict[str, Decision] = {}
    for name, sample in samples.items():
        estimate = known.get(name)
        verdict = changes.get(name, "UNCLEAR")
        if estimate is not None and verdict == "UNCLEAR" and abs(estimate.mean) + estimate.half_width(APART_ALPHA) < MOST_SAME:
            verdict = "SAME"
        decided[name] = Decision(verdict, estimate and estimate.interval(APART_ALPHA), len(sample.base) + len(sample.head), note)
    return decided


def undecided(sample: Sample, why: str) -> Decision:
    """What is said of a row whose processes ended too early."""
    n = len(sample.paired)
    enough = n >= min(LOOKS) // 2
    return Decision("UNCLEAR", trimmed(sample.paired).interval(LOOKS[LAST]) if enough else None, n, f"{why} after {n} processes")


def holm(chances: Mapping[str, float], alpha: float) -> set[str]:
    """The rows whose hypothesis is rejected, with a chance of at most ``alpha`` that any of those is true (Holm 1979)."""
    rejected: set[str] = set()
    for name in sorted(chances, key=lambda name: chances[name]):
        if chances[name] > alpha / (len(chances) - len(rejected)):
            break
        rejected.add(name)
    return rejected


def _not_changed(estimate: Estimate, sample: Sample, ratio: Ratio) -> Decision:
    """Of a row that is neither slower nor faster side by side: the same, unless that is not sure, or processes apart contradict it."""
    same = abs(estimate.mean) + estimate.half_width(LOOKS[LAST]) < MOST_SAME
    check, note = apart(sample.base, sample.head), ""
    if check is not None:
        half = check.half_width(APART_ALPHA)
        if abs(check.mean) - half > LEAST_CHANGE:
            change = math.exp(check.mean) - 1
            return Decision("UNCLEAR", ratio, LAST, f"in processes apart HEAD takes {change:+.1%}: something changes the whole process")
        if half > TELLING:
            note = "the check of processes apart is not informative"
    return Decision("SAME" if same else "UNCLEAR", ratio, LAST, note)


def _changes(estimates: Mapping[str, Estimate], alpha: float) -> dict[str, Verdict]:
    """The rows that are slower or faster, each direction corrected by itself."""
    slower = holm({name: estimate.beyond(LEAST_CHANGE) for name, estimate in estimates.items()}, alpha)
    faster = holm({name: estimate._replace(mean=-estimate.mean).beyond(LEAST_CHANGE) for name, estimate in estimates.items()}, alpha)
    return {name: "SLOWER" if name in slower else "FASTER" for name in slower | faster}
