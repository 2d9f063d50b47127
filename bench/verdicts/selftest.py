"""The rule's own test: one version on both sides, as it is and with planted slowdowns, measured as any two versions are."""

import tempfile
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import msgspec

from bench.evidence.commit import commit_info
from bench.evidence.files import write_atomically
from bench.evidence.fingerprint import default_label, fingerprint
from bench.verdicts.load import beside_load as load
from bench.verdicts.messages import RowTask
from bench.verdicts.rows import Row
from bench.verdicts.run import BrokenError, Run, make_rounds
from bench.verdicts.sides import snapshot
from bench.verdicts.trials import AGAIN, PLANTED, SUFFIX, Trial, Trials
from targetrl_core.errors import UsageError

ROWS = (
    Row("detached", "native", 10_000, "batched"),
    Row("detached", "native", 300_000, "fused"),
    Row("detached", "native", 1_000_000, "batched", 2),
)
"""One thread and some 5 ms; two threads; two threads again, and a working set that is beyond the cache (some 40 MB)."""


def main(results: Path, device: str, sets: int, *, beside_load: bool, tell: Callable[[Run], None]) -> tuple[list[Trial], Path]:
    """Measure, and write the evidence; returns it, and where it is."""
    trials: list[Trial] = []
    with tempfile.TemporaryDirectory(prefix="targetrl-ab-") as name, load() if beside_load else nullcontext():
        folder = Path(name)
        base, head = (snapshot(None, folder / side) for side in ("base", "head"))
        asked = _asked(make_rounds(ROWS, folder))
        for number in range(sets):
            run = Run(asked, {"base": str(base.folder), "head": str(head.folder)}, device)
            run.decide(float("inf"), tell, early=False)
            if run.stopped is not None:
                break  # what is whole is kept
            if run.missing or run.apart:
                raise BrokenError(f"the self-test has no times: {run.apart or next(iter(run.missing.values())).reason}")
            trials += _trials(run, number)
    if not trials:
        raise UsageError("interrupted before a set was whole; nothing was written")
    found = _evidence(trials, device, beside_load=beside_load)
    path = results / f"{found.label}-{device}{'-load' if beside_load else ''}{SUFFIX}"
    write_atomically(path, msgspec.json.format(msgspec.json.encode(found), indent=1).decode() + "\n")
    return trials, path


def _asked(rounds: dict[Row, str]) -> list[RowTask]:
    """The rows of a set. Of the A/A tests of a row one is timed alone: the others would take as long again, and tell of the same."""
    return [
        RowTask(name=f"{row.name} #{number}", row=row, rounds=rounds[row], planted=planted, alone=number == 0 or planted > 0)
        for number, planted in enumerate([0.0] * AGAIN + list(PLANTED))
        for row in ROWS
    ]


def _trials(run: Run, number: int) -> list[Trial]:
    """The rows of a set; those with one number, a row of each kind, are decided together."""
    found = []
    for asked in run.asked:
        sample, within = run.samples[asked.name], int(asked.name.partition("#")[2])
        found.append(
            Trial(
                group=number * (AGAIN + len(PLANTED)) + within,
                row=asked.row.name,
                planted=asked.planted,
                paired=sample.paired,
                base=sample.base,
                head=sample.head,
                set_number=number,
            )
        )
    return found


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
