"""How many times as fast several ranks are as one, on a thread each.

One rank and several take turns, mirrored, so that what drifts hits both alike.
"""

import argparse
import statistics
from collections.abc import Callable
from typing import NamedTuple

from bench.evidence.records import Interval, median_interval
from bench.ranks.job import RankTask, Round, started
from bench.upkeep import check_whole
from targetrl_core.errors import UsageError
from targetrl_core.progress import progress

BOUNDS = {"ranks": (2, 1024), "policies": (1, 10**15), "steps": (1, 10**6), "rounds": (2, 10**4)}


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


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How many ranks, on how much work."""
    parser.add_argument("--ranks", type=int, default=2, help="ranks that are set beside one (default: 2)")
    parser.add_argument("--policies", type=float, default=2e8, metavar="N", help="policies of a round (default: 2e8)")
    parser.add_argument("--steps", type=int, default=50, help="updates of each policy (default: 50)")
    parser.add_argument("--rounds", type=int, default=10, help="pairs of rounds, one rank and several in turns (default: 10)")
    parser.add_argument("--device", default="cpu", help="cpu, or cuda where every rank has a GPU (default: cpu)")


def run(options: argparse.Namespace) -> int:
    """Measure, and print the ratio."""
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
    checksums = {checksum for round_ in (*alone, *several) for checksum in round_.checksums}
    if len(checksums) != 1:
        raise UsageError(f"{ranks} ranks and one rank disagree: checksums {', '.join(f'{value:016x}' for value in sorted(checksums))}")
    return Scaling(task, ranks, alone, several, world.start_seconds)


def text(scaling: Scaling) -> str:
    """What was measured, in lines."""
    low, value, high = scaling.ratio
    task, ranks = scaling.task, scaling.ranks
    alone, several = (statistics.median(round_.seconds for round_ in rounds) for rounds in (scaling.alone, scaling.several))
    return (
        f"{task.policies:,} policies, {task.steps} steps, {task.objective}, {task.arithmetic}, {task.variant} on {task.device}, "
        f"one thread a rank\n"
        f"1 rank: {alone:.3f} s; {ranks} ranks: {several:.3f} s (medians of {len(scaling.alone)} rounds, in turns)\n"
        f"{ranks} ranks are {value:.3f} [{low:.3f}, {high:.3f}] × as fast as one: efficiency {value / ranks:.1%}\n"
        f"from the start of the processes to the word {scaling.start_seconds:.2f} s"
    )
