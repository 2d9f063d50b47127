"""Trajectories and outcome maps, as compact as a page can have them: lists that the page's script spreads into records."""

import math
from collections.abc import Iterator, Sequence

from bench.evidence.schema import Outcome
from bench.evidence.untrusted import plain
from bench.report.page.data.rows import Record
from bench.trajectories.evidence import Course, OutcomeMap, Trajectories

OUTCOMES: tuple[Outcome, ...] = ("at_target", "collapsed", "saturated", "elsewhere")
OUTCOME_NAMES = tuple(outcome.replace("_", " ") for outcome in OUTCOMES)
ORACLE = "oracle"


def courses(found: Trajectories) -> Iterator[Record]:
    """The trajectories of one problem each: outputs and distances from the oracle, by variant, policy and step."""
    for course in found.courses:
        lines = [{"variant": ORACLE, "outputs": _rounded(course.oracle)}]
        lines += [
            {"variant": plain(name), "outputs": _rounded(outputs), "ulp": distances(outputs, course.oracle)}
            for name, outputs in course.variants.items()
        ]
        policies = [f"seed {seed}{' (ambiguous)' * unsure}" for seed, unsure in zip(course.seeds, course.ambiguous, strict=True)]
        yield {"machine": found.name, "course": plain(course.name), "seeds": course.seeds, "policies": policies, "lines": lines}


def distances(outputs: Sequence[Sequence[float]], oracle: Sequence[Sequence[float]]) -> list[list[float]]:
    """How far each output is from the oracle's, in ulp of a float32 number as large as that."""
    return [
        [round(abs(one - right) / float32_ulp(right), 3) for one, right in zip(mine, theirs, strict=True)]
        for mine, theirs in zip(outputs, oracle, strict=True)
    ]


def float32_ulp(value: float) -> float:
    """Distance between neighbouring float32 numbers at ``value``; the smallest normal's below it."""
    exponent = math.frexp(value)[1] if value else -math.inf
    return math.ldexp(1.0, int(max(exponent, -125)) - 24)


def furthest(course: Course) -> float:
    """The largest distance of any variant from the oracle, in ulp, policies whose course hangs on a rounding error aside."""
    clear = [number for number, unsure in enumerate(course.ambiguous) if not unsure]
    found = [distances([outputs[n] for n in clear], [course.oracle[n] for n in clear]) for outputs in course.variants.values()]
    return max((one for table in found for line in table for one in line), default=0.0)


def outcome_maps(found: Trajectories) -> Iterator[Record]:
    """The maps of a file; an outcome is its index in ``OUTCOMES``."""
    for one in found.maps:
        yield {
            "machine": found.name, "objective": plain(one.objective), "variant": plain(one.variant), "steps": one.steps,
            "logits": [round(value, 3) for value in one.logits], "rates": [float(f"{value:.3g}") for value in one.rates],
            "outputs": _rounded(one.outputs), "outcomes": [[OUTCOMES.index(outcome) for outcome in line] for line in one.outcomes],
        }  # fmt: skip


def share(one: OutcomeMap, outcome: Outcome) -> float:
    """The share of a map's policies that end so."""
    found = [each for line in one.outcomes for each in line]
    return found.count(outcome) / len(found)


def _rounded(outputs: Sequence[Sequence[float]]) -> list[list[float]]:
    """More digits than a plot can show."""
    return [[round(value, 5) for value in line] for line in outputs]
