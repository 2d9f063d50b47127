"""Train thousands of times in one process, and see that what it holds of memory, files, threads and caches does not grow."""

import argparse
import functools
import gc
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from math import sqrt
from typing import NamedTuple

import psutil
import torch

from bench.evidence import student
from bench.timing.memory import TRIM
from bench.upkeep import check_whole
from targetrl_core import Population, Problem, stream, train
from targetrl_core.fused import cache, compiler
from targetrl_core.progress import progress
from targetrl_core.variants import BUILT_IN

BOUND_KIB = 192.0
"""Most that resident memory may grow per 1,000 trainings. A training that kept its population and its history, a KiB, would add 1,000."""

WARM_UP = 1 / 3
"""Share of the trainings after which allocators, threads and caches hold what they will; only the rest is looked at."""

LOOKS = 100
"""About how often is looked: to look takes longer than to train."""

LEAST = 100
"""Fewest trainings: of fewer no line can be fitted."""

CONFIDENCE = 0.95

POLICIES, STEPS = 3, 5
"""Of a training: as little as there can be, as it is their number that counts."""

SIZES = range(4, 101)
"""Numbers of policies that take turns, so that what is prepared is not always in the cache, and some of it has to go."""

STREAMED = ("batched", "fused")
"""Variants that streams are trained by too: one that knows no seeds, and the one that does."""

COUNTED = {"files": "open files", "threads": "threads", "cached": "values in caches", "kernels": "built kernels"}

Training = Callable[[int], object]
"""Given its number, train anew."""


class Held(NamedTuple):
    """What the process holds: KiB of resident memory, and numbers of open files, threads, values in caches and kernels that were built."""

    memory_kib: float
    files: int
    threads: int
    cached: int
    kernels: int


class Growth(NamedTuple):
    """KiB per 1,000 trainings by a fitted line, half of its 95 % interval, and what else grew, a line each."""

    memory_kib: float
    half_kib: float
    others: list[str]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How often."""
    parser.add_argument("--trainings", type=int, default=6000, metavar="N", help="how many (default: 6,000)")


def run(options: argparse.Namespace) -> int:
    """Train, and print what grew; 1 where something did, beyond its bound."""
    check_whole("trainings", options.trainings, LEAST, 10**9)
    begun, tasks = time.perf_counter(), trainings()
    with progress(options.trainings, "trainings", quiet=options.quiet) as bar:
        seen = soak(tasks, options.trainings, bar.update)
    grown, last = growth(seen), seen[max(seen)]
    counts = ", ".join(f"{getattr(last, name)} {words}" for name, words in COUNTED.items())
    print(f"{max(seen):,} trainings of {len(tasks)} kinds in {time.perf_counter() - begun:.0f} s; of those after the first third:")
    memory = f"{grown.memory_kib:+.1f} ± {grown.half_kib:.1f} KiB per 1,000 trainings"
    print(f"resident memory grew by {memory}; the bound is {BOUND_KIB:.0f} KiB")
    print(f"in the end: {last.memory_kib / 1024:.0f} MiB resident, {counts}")
    print("\n".join(grown.others or ["nothing else grew"]))
    return int(grown.memory_kib > BOUND_KIB or bool(grown.others))


def trainings() -> list[Training]:
    """Every built-in variant that runs here on two problems, streams, and a number of policies that changes.

    What they prepare fits the cache of ``train``, so that what was compiled is compiled once.
    """
    cpu = torch.device("cpu")
    problems = [Problem(steps=STEPS), Problem(objective="reinforce", steps=STEPS), Problem(arithmetic="portable", steps=STEPS)]
    kinds: list[Training] = [functools.partial(_resize, problems[0])]
    for variant in BUILT_IN:
        able = [problem for problem in problems if variant.unsupported(problem, cpu, POLICIES) is None]
        kinds += [functools.partial(_train, problem, variant.name) for problem in (*able[:1], *able[1:][-1:])]
        if able and variant.name in STREAMED:
            kinds.append(functools.partial(_stream, problems[0], variant.name))
    return kinds


def _train(problem: Problem, variant: str, number: int) -> None:
    trained = train(problem, Population.initialise(POLICIES, seed=number), variant=variant, record=number % 2 == 0)
    sum(trained.outcomes)


def _stream(problem: Problem, variant: str, number: int) -> None:
    for _ in stream(problem, 2 * POLICIES, seed=number, variant=variant, chunk=POLICIES):
        pass


def _resize(problem: Problem, number: int) -> None:
    train(problem, Population.initialise(SIZES[number % len(SIZES)], seed=number), variant="batched")


def held() -> Held:
    """What this process holds, once what can be given back is."""
    gc.collect()
    if TRIM is not None:
        TRIM(0)
    process = psutil.Process()
    caches = [thing for thing in gc.get_objects() if type(thing) is functools._lru_cache_wrapper]  # noqa: SLF001 — it has no other name
    ours = [cached for cached in caches if str(cached.__module__).startswith("targetrl_core")]
    return Held(
        memory_kib=process.memory_info().rss / 1024,
        files=_open_files(process),
        threads=process.num_threads(),
        cached=sum(cached.cache_info().currsize for cached in ours),
        kernels=len(list(cache.folder().iterdir())) if compiler.why_no_compiler() is None else 0,
    )


def _open_files(process: psutil.Process) -> int:
    """What counts them: sockets and pipes too."""
    if sys.platform == "win32":
        return int(process.num_handles())
    return process.num_fds()


def soak(tasks: Sequence[Training], least: int, tell: Callable[[int], object] = lambda _: None) -> dict[int, Held]:
    """Train by turns, ``least`` times or until all had as many turns; returns what was held after how many trainings."""
    seen: dict[int, Held] = {}
    rounds = -(-least // len(tasks))
    every = max(1, rounds // LOOKS)
    for number in range(1, rounds + 1):
        for task in tasks:
            task(number)
        tell(len(tasks))
        if number % every == 0:
            seen[number * len(tasks)] = held()
    return seen


def growth(seen: dict[int, Held]) -> Growth:
    """How what is held grew after the warm-up."""
    late = {count: look for count, look in seen.items() if count > WARM_UP * max(seen)}
    slope, half = _line([count / 1000 for count in late], [look.memory_kib for look in late.values()])
    first, *_, last = (look._asdict() for look in late.values())
    grown = {words: (first[name], last[name]) for name, words in COUNTED.items() if last[name] > first[name]}
    return Growth(slope, half, [f"{words} grew from {before} to {after}" for words, (before, after) in grown.items()])


def _line(x: list[float], y: list[float]) -> tuple[float, float]:
    """The slope of the line of least squares, and half of its interval."""
    fitted = statistics.linear_regression(x, y)
    mean, freedom = statistics.fmean(x), len(x) - 2
    squares = sum((b - fitted.slope * a - fitted.intercept) ** 2 for a, b in zip(x, y, strict=True))
    error = sqrt(squares / freedom / sum((a - mean) ** 2 for a in x))
    return fitted.slope, student.quantile(freedom, CONFIDENCE) * error
