"""How many times as fast several ranks are as one, on a thread each, and what larger worlds would be on paper.

One rank and several take turns, mirrored, so that what drifts hits both alike. What is said of larger worlds rests on what these few were
measured to do, and on assumptions that stand beside the figures.
"""

import argparse
import math
import statistics
from collections.abc import Callable
from statistics import NormalDist
from typing import NamedTuple

from bench.evidence.records import Interval, median_interval
from bench.ranks.job import RankTask, Round, started
from bench.tables.table import markdown_table
from bench.upkeep import check_whole
from targetrl_core.errors import UsageError
from targetrl_core.progress import progress
from targetrl_core.sharding.shards import slice_of

BOUNDS = {"ranks": (2, 1024), "policies": (1, 10**15), "steps": (1, 10**6), "rounds": (2, 10**4)}

WORLDS = (2, 4, 8, 16, 64, 256, 1024)
POPULATIONS = (10**9, 10**11, 10**13)
HOP_SECONDS = 1e-3
"""What a step of the sum over a network is taken to cost, where over the loopback less was measured."""


class Scaling(NamedTuple):
    """Rounds of one rank and of several, the n-th of each next to each other, and the seconds that the several took to start."""

    task: RankTask
    ranks: int
    alone: list[Round]
    several: list[Round]
    start_seconds: float

    @property
    def ratio(self) -> Interval:
        """How many times as fast the several are, with its 95 % interval over the pairs."""
        return median_interval(alone.seconds / several.seconds for alone, several in zip(self.alone, self.several, strict=True))

    @property
    def policies_per_second(self) -> float:
        """Of a rank among the several."""
        return statistics.median(answer.own_policies / answer.own_seconds for round_ in self.several for answer in round_.answers)

    @property
    def spread(self) -> float:
        """How much ranks differ within a round: standard deviation of the logarithm of their seconds a policy."""
        squares, freedom = 0.0, 0
        for round_ in self.several:
            logs = [math.log(answer.own_seconds / answer.own_policies) for answer in round_.answers]
            squares += sum((value - statistics.fmean(logs)) ** 2 for value in logs)
            freedom += len(logs) - 1
        return math.sqrt(squares / freedom)

    @property
    def sum_seconds(self) -> float:
        """What the sum costs the rank that comes last to it, and waits for no other."""
        return statistics.median(min(answer.sum_seconds for answer in round_.answers) for round_ in self.several)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How many ranks, on how much work."""
    parser.add_argument("--ranks", type=int, default=2, help="ranks that are set beside one (default: 2)")
    parser.add_argument("--policies", type=float, default=2e8, metavar="N", help="policies of a round (default: 2e8)")
    parser.add_argument("--steps", type=int, default=50, help="updates of each policy (default: 50)")
    parser.add_argument("--rounds", type=int, default=10, help="pairs of rounds, one rank and several in turns (default: 10)")
    parser.add_argument("--device", default="cpu", help="cpu, or cuda where every rank has a GPU (default: cpu)")


def run(options: argparse.Namespace) -> int:
    """Measure, and print ratio and table."""
    for name, (least, most) in BOUNDS.items():
        check_whole(name, getattr(options, name), least, most)
    task = RankTask(policies=int(options.policies), steps=options.steps, device=options.device)
    with progress(2 * options.rounds, "rounds", quiet=options.quiet) as bar:
        scaling = measure(task, options.ranks, options.rounds, bar.update)
    print(text(scaling))
    return 0


def measure(task: RankTask, ranks: int, rounds: int, tell: Callable[[], object]) -> Scaling:
    """Time ``rounds`` pairs of rounds.

    Raises:
        UsageError: the ranks do not come to the result of one, or one of them ended.
    """
    with started(1, task) as single, started(ranks, task) as world:
        alone: list[Round] = []
        several: list[Round] = []
        for number in range(rounds):
            turns = [(single, alone), (world, several)]
            for job, timed in turns if number % 2 == 0 else reversed(turns):
                timed.append(job.round())
                tell()
    checksums = {answer.checksum for round_ in (*alone, *several) for answer in round_.answers}
    if len(checksums) != 1:
        raise UsageError(f"{ranks} ranks and one rank disagree: checksums {', '.join(f'{value:016x}' for value in sorted(checksums))}")
    return Scaling(task, ranks, alone, several, world.start_seconds)


def seconds_on_paper(scaling: Scaling, n: int, ranks: int) -> float:
    """From the word to the sum: the slowest rank's slice, and a sum of as many steps as a binary tree has levels."""
    longest = max(len(slice_of(n, shard, ranks)) for shard in (0, ranks // 2, ranks - 1))
    hop = max(HOP_SECONDS, scaling.sum_seconds / math.ceil(math.log2(scaling.ranks)))
    return longest / scaling.policies_per_second * math.exp(scaling.spread * slowest(ranks)) + hop * math.ceil(math.log2(ranks))


def slowest(ranks: int) -> float:
    """Where the largest of as many normal numbers is expected, in standard deviations: Blom, 1958."""
    return NormalDist().inv_cdf((ranks - 0.375) / (ranks + 0.25)) if ranks > 1 else 0.0


def efficiency(scaling: Scaling, n: int, ranks: int) -> tuple[float, float]:
    """How much of as many ranks' time a population of n keeps busy: without the start of the processes, and with it."""
    alone, together = seconds_on_paper(scaling, n, 1), seconds_on_paper(scaling, n, ranks)
    return alone / (ranks * together), (alone + scaling.start_seconds) / (ranks * (together + scaling.start_seconds))


def text(scaling: Scaling) -> str:
    """What was measured, in lines, and the efficiency of larger worlds as a table, with what is assumed."""
    low, value, high = scaling.ratio
    task, ranks = scaling.task, scaling.ranks
    alone, several = (statistics.median(round_.seconds for round_ in rounds) for rounds in (scaling.alone, scaling.several))
    return (
        f"{task.policies:,} policies, {task.steps} steps, {task.objective}, {task.arithmetic}, {task.variant} on {task.device}, "
        f"one thread a rank\n"
        f"1 rank: {alone:.3f} s; {ranks} ranks: {several:.3f} s (medians of {len(scaling.alone)} rounds, in turns)\n"
        f"{ranks} ranks are {value:.3f} [{low:.3f}, {high:.3f}] × as fast as one: efficiency {value / ranks:.1%}\n"
        f"a rank trains {scaling.policies_per_second:,.0f} policies a second; those of a round differ by {scaling.spread:.2%}; "
        f"the sum takes {scaling.sum_seconds * 1e3:.2f} ms; from the start of the processes to the word {scaling.start_seconds:.2f} s\n\n"
        f"{_table(scaling)}\n\n"
        f"Assumed: every rank has a core of its own as fast as those, whatever the others do; ranks differ as those do, "
        f"log-normally, and the slowest is waited for; the sum takes at least {HOP_SECONDS * 1e3:g} ms for each level of a binary tree; "
        f"starting takes as long for any number of ranks, and one rank has to start as well (in brackets: with it)."
    )


def _table(scaling: Scaling) -> str:
    """Efficiency by ranks and population: without the start of the processes, and with it."""
    lines = []
    for ranks in WORLDS:
        cells = (efficiency(scaling, n, ranks) for n in POPULATIONS)
        lines.append([f"{ranks:,}", *(f"{running:.1%} ({from_start:.1%})" for running, from_start in cells)])
    return markdown_table(lines, ("ranks", *(f"N = {n:.0e}".replace("e+", "e") for n in POPULATIONS)))
