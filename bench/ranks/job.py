"""A job: ranks that have met and are warm, and train one population together whenever they are told to."""

import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, NamedTuple

import msgspec

from bench.ranks.rank import Answer, RankTask

ROOT = Path(__file__).parents[2]
TIMEOUT_SECONDS = 600.0
"""How long all that a job does may take together, to start and in a round each."""


class RankFailedError(Exception):
    """A rank ended early; says how."""


class Round(NamedTuple):
    """Seconds from the word to the sum, and what each rank says."""

    seconds: float
    answers: list[Answer]


class Job(NamedTuple):
    """Ranks that wait for the word, and the seconds from their start to that."""

    ranks: list[subprocess.Popen[str]]
    errors: Sequence[IO[str]]
    start_seconds: float

    def round(self) -> Round:
        """Let them train once."""
        begun = time.perf_counter()
        for rank in range(len(self.ranks)):
            self.tell(rank, "go")
        first = self.heard(0)
        seconds = time.perf_counter() - begun
        lines = [first, *(self.heard(rank) for rank in range(1, len(self.ranks)))]
        return Round(seconds, [msgspec.json.decode(line, type=Answer) for line in lines])

    def tell(self, rank: int, line: str) -> None:
        """A line to a rank's standard input."""
        pipe = self.ranks[rank].stdin
        if pipe is not None:
            pipe.write(f"{line}\n")
            pipe.flush()

    def heard(self, rank: int) -> str:
        """The next line of a rank; raises RankFailedError where it has ended."""
        pipe = self.ranks[rank].stdout
        timer = threading.Timer(TIMEOUT_SECONDS, self.ranks[rank].kill)
        timer.start()
        line = pipe.readline() if pipe is not None else ""
        timer.cancel()
        if line:
            return line
        code = self.ranks[rank].wait()
        self.errors[rank].seek(0)
        words = self.errors[rank].read().strip().splitlines()[-1:] or ["it said nothing"]
        raise RankFailedError(f"rank {rank} of {len(self.ranks)} ended with exit code {code}: {words[0]}")


@contextmanager
def started(ranks: int, task: RankTask) -> Iterator[Job]:
    """Start ranks of a task, which end with the block."""
    begun = time.perf_counter()
    with ExitStack() as stack:
        errors = [stack.enter_context(tempfile.TemporaryFile("w+")) for _ in range(ranks)]
        world = {"WORLD_SIZE": str(ranks), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_free_port())}
        processes = [_rank(stack, world | {"RANK": str(rank)}, errors[rank]) for rank in range(ranks)]
        job = Job(processes, errors, 0.0)
        for rank in range(ranks):
            job.tell(rank, msgspec.json.encode(task).decode())
        for rank in range(ranks):
            job.heard(rank)
        yield job._replace(start_seconds=time.perf_counter() - begun)
        for process in processes:  # they leave by themselves, together
            if process.stdin is not None:
                process.stdin.close()
        for process in processes:
            process.wait(TIMEOUT_SECONDS)


def _rank(stack: ExitStack, world: dict[str, str], errors: IO[str]) -> "subprocess.Popen[str]":
    environment = os.environ | world | {"OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "bench.ranks.rank"],
        cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True,
    )  # fmt: skip
    stack.enter_context(process)
    stack.callback(process.kill)
    return process


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
