"""Cold starts: a variant in processes of its own, each of which begins with nothing imported, compiled or warm."""

import os
import random
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Literal

import msgspec
import torch

from bench.evidence.files import ROOT
from bench.evidence.reasons import last_words
from bench.evidence.schema import Phases
from bench.timing.child import MOST_CALLS, RESULT, TASK
from bench.timing.gate import Gate, facts_of
from bench.timing.guards import raise_unless_empty
from bench.timing.rounds import FreshRound, Rounds, cell_of
from targetrl_core import Population, Problem, Variant
from targetrl_core.certification import certify
from targetrl_core.convergence import Identity, check

TIMEOUT_SECONDS = 300
Cache = Literal["empty", "warm"]


class ProcessFailedError(Exception):
    """A fresh process ended early; says how."""


@dataclass
class Caches:
    """The compilers' cache folders of a session: new ones, and for each variant one that a process of it has filled."""

    folder: Path
    filled: dict[str, Path] = field(default_factory=dict)

    def of(self, variant: str, cache: Cache | None) -> Path:
        """A folder that is empty, or that a process of this variant has filled."""
        if cache != "warm" or variant not in self.filled:
            self.filled[variant] = Path(tempfile.mkdtemp(dir=self.folder, prefix=f"{variant}-"))
        return self.filled[variant]


def time_cold_start(  # noqa: PLR0913 — what a cold start differs by
    gate: Gate, variant: Variant, problem: Problem, n: int, cache: Cache | None, processes: int, caches: Caches
) -> None:
    """Time a variant from the start of a process to its first trained population, and keep the phases that each process reports.

    Every population that a process trains is drawn here, and checked: known policies of each, and of one all of them.
    """
    unsupported = variant.unsupported(problem, gate.device, n)
    with gate.row(cell_of("cold start", variant.name, problem, n, cache=cache), unsupported) as row:
        raise_unless_empty(gate.once.variant_faults(problem, variant, gate.device))
        rounds = Rounds.of(problem, n, MOST_CALLS + 2)

        def fresh() -> Process:
            return Process.start(gate.device, variant, rounds, caches.of(variant.name, cache))

        if cache == "warm" and variant.name not in caches.filled:
            fresh().finish()
        started: list[Process] = []
        finished: list[tuple[Phases, Identity]] = []

        def run() -> None:
            started.append(fresh())

        def finish() -> None:
            finished.append(started.pop().finish())

        with _killed_on_error(started):
            gate.benchmark.pedantic(run, teardown=finish, rounds=processes)
            if started:  # --benchmark-disable calls no teardown
                finish()
        row.update(facts_of(finished[-1][1]), processes=[phases for phases, _ in finished])


@dataclass(frozen=True)
class Process:
    """A fresh process that has trained its first population and goes on."""

    process: subprocess.Popen[str]
    scratch: tempfile.TemporaryDirectory[str]
    problem: Problem
    begun: list[FreshRound]

    @classmethod
    def start(cls, device: torch.device, variant: Variant, rounds: Rounds, cache: Path) -> "Process":
        """Start a process and wait until it has trained once."""
        scratch = tempfile.TemporaryDirectory()
        problem, begun = rounds.problem, [rounds.draw() for _ in range(MOST_CALLS + 2)]
        # Plain values: to pickle an object of a class leaves a trace in the class, and the gate looks for traces.
        task = {
            "device": str(device), "variant": variant.name, "starts": [vars(drawn.population) for drawn in begun],
            "problem": {field.name: getattr(problem, field.name) for field in fields(problem)},
        }  # fmt: skip
        torch.save(task, Path(scratch.name) / TASK)
        environment = os.environ | {"TORCHINDUCTOR_CACHE_DIR": str(cache), "TARGETRL_CACHE_DIR": str(cache)}
        with (Path(scratch.name) / "stderr").open("w") as errors:
            command = [sys.executable, "-W", "ignore", "-m", "bench.timing.child", scratch.name]
            process = subprocess.Popen(  # noqa: S603 — this project's own module
                command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True
            )
        started = cls(process, scratch, problem, begun)
        with _killed_on_error([started]), started.time_limit():
            if process.stdout is None or process.stdout.readline() != "trained\n":
                raise ProcessFailedError(started.last_words())
        return started

    def finish(self) -> tuple[Phases, Identity]:
        """Wait for its end and check all that it trained; raises NotIdenticalError where something is not what it has to be."""
        with self.scratch, _killed_on_error([self]), self.time_limit():
            self.process.communicate()
            if self.process.returncode != 0:
                raise ProcessFailedError(self.last_words())
            result = torch.load(Path(self.scratch.name) / RESULT, map_location="cpu", weights_only=False)
        raise_unless_empty(tuple(result["faults"]))
        return msgspec.convert(result["phases"], Phases), self.check([Population(**state) for state in result["trained"]])

    def check(self, trained: list[Population]) -> Identity:
        """Compare what each call trained with what it has to be; of one call, which chance names, all policies."""
        for begun, population in zip(self.begun, trained, strict=False):  # a process makes no more calls when they have taken a while
            raise_unless_empty(check(begun.expectation, population).reasons)
        call = random.SystemRandom().randrange(len(trained))
        identity = check(certify(self.problem, self.begun[call].population), trained[call])
        raise_unless_empty(identity.reasons)
        return identity

    @contextmanager
    def time_limit(self) -> Iterator[None]:
        """Kill the process if what is done with it takes too long."""
        timer = threading.Timer(TIMEOUT_SECONDS, self.process.kill)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def end(self) -> None:
        """Kill it, and leave nothing behind."""
        with self.scratch, self.process:  # which also close its pipe, and wait for its end
            self.process.kill()

    def last_words(self) -> str:
        """How it ended, and the last line that it wrote to standard error."""
        return f"a fresh process ended with exit code {self.process.wait()}: {last_words(Path(self.scratch.name) / 'stderr')}"


@contextmanager
def _killed_on_error(started: list[Process]) -> Iterator[None]:
    try:
        yield
    except BaseException:
        for process in started:
            process.end()
        raise
