"""How many times as fast several ranks are as one, on a thread each: both in turns, mirrored, so that what drifts hits both alike."""

import math
import statistics
from collections.abc import Callable
from typing import NamedTuple

from bench.evidence.records import Interval, median_interval
from bench.scaling.job import Round, started
from bench.scaling.messages import Task
from targetrl_core.errors import UsageError


class Scaling(NamedTuple):
    """Rounds of one rank and of several, the n-th of each next to each other, and the seconds that the several took to start."""

    task: Task
    ranks: int
    alone: list[Round]
    several: list[Round]
    start_seconds: float

    @property
    def ratio(self) -> Interval:
        """How many times as fast the several are, with its 95 % interval over the pairs."""
        return median_interval(one.seconds / many.seconds for one, many in zip(self.alone, self.several, strict=True))

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


def measure(task: Task, ranks: int, rounds: int, tell: Callable[[], object]) -> Scaling:
    """Time ``rounds`` pairs of rounds.

    Raises:
        UsageError: the ranks do not come to the result of one, or not all of them can be started.
    """
    with started(1, task) as one, started(ranks, task) as many:
        alone: list[Round] = []
        several: list[Round] = []
        for number in range(rounds):
            turns = [(one, alone), (many, several)]
            for job, found in turns if number % 2 == 0 else reversed(turns):
                found.append(job.round())
                tell()
        results = {answer.checksum for round_ in (*alone, *several) for answer in round_.answers}
        if len(results) != 1:
            raise UsageError(f"{ranks} ranks and one rank disagree: checksums {', '.join(f'{one:016x}' for one in sorted(results))}")
        return Scaling(task, ranks, alone, several, many.start_seconds)


def text(found: Scaling) -> str:
    """What was found, in lines."""
    low, value, high = found.ratio
    work = f"{found.task.policies:,} policies, {found.task.steps} steps, {found.task.objective}, {found.task.arithmetic}"
    alone, several = (statistics.median(round_.seconds for round_ in rounds) for rounds in (found.alone, found.several))
    return (
        f"{work}, {found.task.variant} on {found.task.device}, one thread a rank\n"
        f"1 rank: {alone:.3f} s; {found.ranks} ranks: {several:.3f} s (medians of {len(found.alone)} rounds, in turns)\n"
        f"{found.ranks} ranks are {value:.3f} [{low:.3f}, {high:.3f}] × as fast as one: efficiency {value / found.ranks:.1%}\n"
        f"ranks of a round differ by {found.spread:.2%}; the sum takes {found.sum_seconds * 1e3:.2f} ms; "
        f"from the start of the processes to the word {found.start_seconds:.2f} s\n"
    )
