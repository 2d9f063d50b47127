"""Kill checkpointed runs at random moments, resume each, and count those that end as an uninterrupted one."""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from bench.evidence.files import ROOT
from bench.upkeep import check_whole
from targetrl_core.errors import UsageError
from targetrl_core.progress import progress

ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}
"""Threads that wait for each other beside other work would make the moments of kills and checkpoints what that work makes of them."""

RANDOM = random.SystemRandom()


class Kill(NamedTuple):
    """One kill: policies in the newest checkpoint then, None where there was none, and whether the next run made up for it."""

    kept: int | None
    resumed: bool


class Kills(NamedTuple):
    """All of them, and how long an uninterrupted run takes and what it prints."""

    population: int
    seconds: float
    expected: str
    kills: list[Kill]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How many, and of what runs."""
    parser.add_argument("--kills", type=int, default=100, help="runs that are killed (default: 100, some eight minutes)")
    parser.add_argument("--policies", type=float, default=2e7, metavar="N", help="policies of a run (default: 2e7)")


def run(options: argparse.Namespace) -> int:
    """Kill and count; 1 where a run did not end as it has to."""
    check_whole("kills", options.kills, 1, 10**6)
    check_whole("policies", options.policies, 2, 10**15)
    with progress(options.kills, "kills", quiet=options.quiet) as bar:
        made = measure(int(options.policies), options.kills, bar.update)
    print(text(made))
    return int(not all(kill.resumed for kill in made.kills))


def measure(population: int, kills: int, tell: Callable[[], object]) -> Kills:
    """Kill as many runs, each at a moment drawn from the whole life of its process, and resume each.

    Raises:
        UsageError: a run that nobody kills fails, by its own words.
    """
    with tempfile.TemporaryDirectory(prefix="targetrl-kills-") as name:
        folder = Path(name)
        _finish(population, folder / "warm")  # builds the kernel
        begun = time.perf_counter()
        expected = _finish(population, folder / "whole")
        seconds = time.perf_counter() - begun
        made: list[Kill] = []
        while len(made) < kills:
            place = folder / str(len(made))
            if _kill(population, place, RANDOM.uniform(0, seconds)):
                kept = _kept(place)
                made.append(Kill(kept, resumed=_run(population, place).stdout == expected))
                tell()
        return Kills(population, seconds, expected, made)


def text(kills: Kills) -> str:
    """What became of them, in lines."""
    count, resumed = len(kills.kills), sum(kill.resumed for kill in kills.kills)
    kept = [kill.kept for kill in kills.kills if kill.kept]
    between = f", with {min(kept):,} to {max(kept):,} of {kills.population:,} policies kept" if kept else ""
    return (
        f"{count} kills (SIGKILL) at random moments of processes that take {kills.seconds:.2f} s: "
        f"{len(kept)} after policies had been kept{between}\n"
        f"{resumed} of {count} resumed to the result of an uninterrupted run: {kills.expected.splitlines()[-1]}"
    )


def _command(population: int, place: Path) -> tuple[str, ...]:
    train = (sys.executable, "-m", "targetrl_core", "train", "--population", str(population))
    return (*train, "--checkpoint", str(place), "--resume", "--checkpoint-every", "0")


def _run(population: int, place: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(_command(population, place), cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, check=False)  # noqa: S603 — our own


def _finish(population: int, place: Path) -> str:
    ran = _run(population, place)
    if ran.returncode != 0:
        raise UsageError((ran.stderr.strip().splitlines() or ["the run ended without a word"])[-1])
    return ran.stdout


def _kill(population: int, place: Path, at_seconds: float) -> bool:
    """Start a run and kill it; False where it was over before."""
    with subprocess.Popen(_command(population, place), cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.DEVNULL) as process:  # noqa: S603 — likewise
        try:
            process.wait(at_seconds)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.returncode < 0


def _kept(place: Path) -> int | None:
    """Policies in the furthest checkpoint; None where there is none yet."""
    bodies = [path.read_text(encoding="utf-8").splitlines()[1] for path in place.glob("*.json")]
    return max((int(json.loads(body)["trained"]) for body in bodies), default=None)
