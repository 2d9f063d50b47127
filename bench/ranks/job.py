"""A job: ranks that have met and are warm, and train one population together whenever they are told to."""

import multiprocessing
import os
import signal
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, NamedTuple

import torch

from bench.evidence.reasons import last_words
from targetrl_core import Problem, Summary
from targetrl_core.devices import find_device
from targetrl_core.errors import UsageError, one_line
from targetrl_core.sharding.group import Group, joined
from targetrl_core.sharding.shards import Shard
from targetrl_core.sharding.world import World
from targetrl_core.streaming import plan

PATIENCE_SECONDS = 300.0
"""How long ranks wait for each other."""

TIMEOUT_SECONDS = 600.0
"""How long a rank may take to start, and for a round."""


class RankTask(NamedTuple):
    """What the ranks train together, each on as many threads."""

    policies: int
    steps: int
    objective: str = "detached"
    arithmetic: str = "native"
    variant: str = "auto"
    device: str = "cpu"
    threads: int = 1


class Round(NamedTuple):
    """Seconds from the word to the sum, and the checksum of the whole that each rank came to."""

    seconds: float
    checksums: list[int]


class Rank(NamedTuple):
    """A process that trains its slice, and the pipe to it."""

    name: str
    process: BaseProcess
    pipe: "Connection[Any, Any]"
    errors: Path

    def heard(self) -> Any:  # noqa: ANN401 — a checksum, or None once it is ready
        """What it says next; raises UsageError where it has ended, or says nothing."""
        try:
            heard = self.pipe.recv() if self.pipe.poll(TIMEOUT_SECONDS) else "said nothing"
        except EOFError:
            self.process.join()
            heard = f"ended with exit code {self.process.exitcode}: {last_words(self.errors)}"
        if isinstance(heard, str):
            raise UsageError(f"{self.name} {heard}")
        return heard


class Job(NamedTuple):
    """Ranks that wait for the word, and the seconds from their start to that."""

    ranks: list[Rank]
    start_seconds: float

    def round(self) -> Round:
        """Let them train once."""
        begun = time.perf_counter()
        for rank in self.ranks:
            rank.pipe.send("train")
        first = self.ranks[0].heard()
        seconds = time.perf_counter() - begun
        return Round(seconds, [first, *(rank.heard() for rank in self.ranks[1:])])


@contextmanager
def started(ranks: int, task: RankTask) -> Iterator[Job]:
    """Start ranks of a task, which end with the block."""
    begun, port = time.perf_counter(), _free_port()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="targetrl-ranks-")))
        there = [_start(stack, task, rank, ranks, port, folder / str(rank)) for rank in range(ranks)]
        for rank in there:
            rank.heard()
        yield Job(there, time.perf_counter() - begun)
        for rank in there:  # they leave by themselves, together
            rank.pipe.send(None)
        for rank in there:
            rank.process.join(TIMEOUT_SECONDS)


def _start(  # noqa: PLR0913 — what a rank is told, and its place
    stack: ExitStack, task: RankTask, rank: int, ranks: int, port: int, errors: Path
) -> Rank:
    context = multiprocessing.get_context("spawn")
    pipe, its_pipe = context.Pipe()
    # Plain values: to pickle an object of a class leaves a trace in the class, and the gate looks for traces.
    process = context.Process(target=serve, args=(tuple(task), rank, ranks, port, its_pipe, errors), daemon=True)
    errors.touch()
    process.start()
    its_pipe.close()  # its end is closed, then, as soon as it ends
    stack.enter_context(pipe)
    stack.callback(process.kill)
    return Rank(f"rank {rank} of {ranks}", process, pipe, errors)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def serve(  # noqa: PLR0913 — likewise
    fields: tuple[Any, ...], rank: int, ranks: int, port: int, pipe: "Connection[Any, Any]", errors: Path
) -> None:
    """What a rank does: it says None once it is ready, and the checksum of the whole whenever it hears a word."""
    with errors.open("a") as file:
        os.dup2(file.fileno(), 2)  # what a crash outside Python says, too
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who started it is interrupted, and ends it
    task, world = RankTask(*fields), World(rank, ranks, rank, ranks, "127.0.0.1", port)
    try:
        with _group(world, task.device) as group:
            torch.set_num_threads(task.threads)  # to join took a share of the cores
            shard = _shard(task, world, find_device(task.device) if group is None else group.device)
            if group is not None:
                group.agree(shard.plan)
            _train(shard, range(shard.span.start, min(shard.span.stop, shard.span.start + shard.plan.chunk)))  # builds the kernel
            pipe.send(None)
            while pipe.recv():
                summary = _train(shard, shard.span)
                pipe.send((summary if group is None else group.total(summary)).checksum)
    except Exception as error:  # noqa: BLE001 — whatever it is, it is told
        pipe.send(f"ended with {type(error).__name__}: {one_line(error)}")


@contextmanager
def _group(world: World, device: str) -> Iterator[Group | None]:
    if world.size == 1:
        yield None
        return
    with joined(world, device, PATIENCE_SECONDS) as group:
        group.pulse.working = False  # nobody knows when the next round is
        yield group
        group.leave()


def _shard(task: RankTask, world: World, device: torch.device) -> Shard:
    problem = Problem(objective=task.objective, arithmetic=task.arithmetic, steps=task.steps)  # type: ignore[arg-type] # Problem checks them
    return Shard(plan(problem, task.policies, variant=task.variant, device=device), world.rank, world.size)


def _train(shard: Shard, span: range) -> Summary:
    summary = shard.plan.nothing()
    for summary in shard.plan.train(span):  # noqa: B007 — the last one is returned
        pass
    return summary
