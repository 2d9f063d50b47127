"""The rule's own test: one version on both sides, as it is and with planted slowdowns, measured as any two versions are."""

import argparse
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import msgspec

from bench.commands import add_results
from bench.commands.ab import processes_shown
from bench.evidence.commit import commit_info
from bench.evidence.files import write_atomically
from bench.evidence.fingerprint import default_label, fingerprint
from bench.report.verdicts import rates_table
from bench.timing.cases import SuiteRow
from bench.upkeep import check_whole
from bench.verdicts.messages import RowTask
from bench.verdicts.run import Comparison, make_rounds
from bench.verdicts.sides import snapshot
from bench.verdicts.trials import AGAIN, PLANTED, SUFFIX, Trial, Trials
from targetrl_core.devices import find_device
from targetrl_core.errors import UsageError, one_of
from targetrl_core.names import DEVICES

ROWS = (
    SuiteRow("detached", "native", 10_000, "batched"),
    SuiteRow("detached", "native", 300_000, "fused"),
    SuiteRow("detached", "native", 1_000_000, "batched", 2),
)
"""One thread and some 5 ms; two threads; two threads again, and a working set that is beyond the cache (some 40 MB)."""


LOAD = """
import random, time
generator = random.Random(0)
while True:
    until = time.monotonic() + generator.uniform(0.2, 2.0)
    while time.monotonic() < until:
        pass
    time.sleep(generator.uniform(0.2, 2.0))
"""
"""What burns a core in bursts, with rests between them."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How often, where, and beside what."""
    parser.add_argument("--sets", type=int, default=1, help="how often it is repeated (default: 1, some seven minutes)")
    parser.add_argument("--beside-load", action="store_true", help="do so beside a process that burns a core in bursts")
    parser.add_argument("--device", default="cpu", help=f"one of {one_of(DEVICES)} (default: cpu)")
    add_results(parser)


def run(options: argparse.Namespace) -> int:
    """Measure, write the evidence, and print the rates."""
    find_device(options.device)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # told to end, it keeps what is whole, and leaves nothing behind
    check_whole("sets", options.sets, 1, 10**4)
    with processes_shown("sets of 16 processes", options.sets, quiet=options.quiet) as tell:
        trials = measure(options.device, options.sets, beside_load=options.beside_load, tell=tell)
    path = write(options.results, _evidence(trials, options.device, beside_load=options.beside_load))
    print(f"{rates_table(trials)}\nwrote {path}")
    return 0


def measure(device: str, sets: int, *, beside_load: bool, tell: Callable[[Comparison], None]) -> list[Trial]:
    """The trials of as many sets, or of those that were whole when it was interrupted.

    Raises:
        UsageError: none was.
    """
    trials: list[Trial] = []
    with tempfile.TemporaryDirectory(prefix="targetrl-ab-") as name, load() if beside_load else nullcontext():
        folder = Path(name)
        base, head = (snapshot(None, folder / side) for side in ("base", "head"))
        tasks = _tasks(make_rounds(ROWS, folder))
        for number in range(sets):
            run = Comparison(tasks, base, head, device)
            run.decide(float("inf"), tell, early=False)
            if run.stopped is not None:
                break  # what is whole is kept
            if run.missing or run.apart:
                raise UsageError(f"the self-test has no times: {run.apart or next(iter(run.missing.values())).reason}")
            trials += _trials(run, number)
    if not trials:
        raise UsageError("interrupted before a set was whole; nothing was written")
    return trials


@contextmanager
def load() -> Iterator[None]:
    """Let a process burn a core in bursts meanwhile."""
    process = subprocess.Popen([sys.executable, "-c", LOAD])  # noqa: S603 — the program above
    try:
        yield
    finally:
        process.kill()
        process.wait()


def _tasks(rounds: dict[SuiteRow, str]) -> list[RowTask]:
    """The rows of a set. Of the A/A tests of a row one is timed alone: the others would take as long again, and tell of the same."""
    return [
        RowTask(name=f"{row.name} #{number}", row=row, rounds=rounds[row], planted=planted, alone=number == 0 or planted > 0)
        for number, planted in enumerate([0.0] * AGAIN + list(PLANTED))
        for row in ROWS
    ]


def _trials(run: Comparison, number: int) -> list[Trial]:
    """The rows of a set; those with one number, a row of each kind, are decided together."""
    trials = []
    for task in run.tasks:
        sample, within = run.samples[task.name], int(task.name.partition("#")[2])
        trials.append(
            Trial(
                group=number * (AGAIN + len(PLANTED)) + within,
                row=task.row.name,
                planted=task.planted,
                paired=sample.paired,
                base=sample.base,
                head=sample.head,
                set_number=number,
            )
        )
    return trials


def write(results: Path, evidence: Trials) -> Path:
    """Write it; returns where it is."""
    path = results / f"{evidence.label}-{evidence.device}{'-load' if evidence.beside_load else ''}{SUFFIX}"
    write_atomically(path, msgspec.json.format(msgspec.json.encode(evidence), indent=1).decode() + "\n")
    return path


def _evidence(trials: list[Trial], device: str, *, beside_load: bool) -> Trials:
    from pytest_benchmark.plugin import pytest_benchmark_generate_machine_info

    machine = pytest_benchmark_generate_machine_info()
    return Trials(
        schema=1,
        label=default_label(machine, device),
        device=device,  # type: ignore[arg-type] # one that is here
        beside_load=beside_load,
        fingerprint=fingerprint(machine, commit_info(), device, {}),
        trials=trials,
    )
