"""Cold starts: a variant in processes of its own, each of which begins with nothing imported, compiled or warm."""

import json
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
from typing import Any, Literal

import msgspec
import torch

from bench.evidence.reasons import last_words
from bench.evidence.schema import Phases
from bench.timing.child import MOST_CALLS, RESULTS, STARTS
from bench.timing.gate import Gate, cell_of, facts_of
from bench.timing.guards import raise_unless_empty
from bench.timing.rounds import FreshRound, Rounds
from targetrl_core import Population, Problem, Variant
from targetrl_core.certification import certify
from targetrl_core.convergence import Identity, check

ROOT = Path(__file__).parent.parent.parent
TIMEOUT_SECONDS = 300
Cache = Literal["empty", "warm"]


class ProcessFailedError(Exception):
    """A fresh process ended early; says how."""


class _Answer(msgspec.Struct):
    """What a process says: what it measured, and why a result is not to be trusted, a line each."""

    phases: Phases
    faults: list[str]


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
    with gate.row(cell_of("cold start", variant, problem, n, cache=cache), unsupported) as row:
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
        torch.save([vars(drawn.population) for drawn in begun], Path(scratch.name) / STARTS)
        task = {
            "device": str(device), "variant": variant.name, "policies": rounds.n, "folder": scratch.name,
            "problem": {field.name: getattr(problem, field.name) for field in fields(problem)},
        }  # fmt: skip
        environment = os.environ | {"TORCHINDUCTOR_CACHE_DIR": str(cache), "TARGETRL_CACHE_DIR": str(cache), "PYTHONPATH": _python_path()}
        with (Path(scratch.name) / "stderr").open("w") as errors:
            command = [sys.executable, "-W", "ignore", "-m", "bench.timing.child"]
            process = subprocess.Popen(  # noqa: S603 — this project's own module
                command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
            )
        started = cls(process, scratch, problem, begun)
        with _killed_on_error([started]), started.time_limit():
            stdin, stdout = _pipes(process)
            with stdin:
                json.dump(task, stdin)
            if stdout.readline() != "trained\n":
                raise ProcessFailedError(started.last_words())
        return started

    def finish(self) -> tuple[Phases, Identity]:
        """Wait for its end and check all that it trained; raises NotIdenticalError where something is not what it has to be."""
        with self.scratch, _killed_on_error([self]), self.time_limit():
            with _pipes(self.process)[1] as stdout:
                answered = stdout.read()
            if self.process.wait() != 0:
                raise ProcessFailedError(self.last_words())
            answer = msgspec.json.decode(answered, type=_Answer)
            trained = [
                Population(**state) for state in torch.load(Path(self.scratch.name) / RESULTS, map_location="cpu", weights_only=False)
            ]
        raise_unless_empty(tuple(answer.faults))
        return answer.phases, self.check(trained)

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
        self.process.kill()
        self.process.wait()
        _pipes(self.process)[1].close()
        self.scratch.cleanup()

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


def _pipes(process: subprocess.Popen[str]) -> tuple[Any, Any]:
    if process.stdin is None or process.stdout is None:
        raise TypeError("the process was started without pipes")
    return process.stdin, process.stdout


def _python_path() -> str:
    return os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
