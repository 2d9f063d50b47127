"""How far the peers of jax are best unrolled: evidence files of sweeps, ``<label>-<device>-sweep.json``, as tables."""

from collections.abc import Iterable
from pathlib import Path

from bench.evidence import records
from bench.evidence.machine import Machine
from bench.report.cells import escaped
from bench.report.tables import Reasons, speeds

INTRODUCTION = """Policy-steps per second by how many steps stand in one body of the loop, through the same gate as every row. Measured by
`python -m bench peers`; the peers take what is among the best at both sizes, run after run.
"""


def name_of(peer: str, unroll: int) -> str:
    """What a row of a sweep is called."""
    return f"{peer}, unroll {unroll}"


def files(results: Path) -> list[Path]:
    """The sweeps of a folder."""
    return sorted(results.glob("*-sweep.json"))


def unrolling_section(results: Path) -> Iterable[str]:
    """A table for each peer of each sweep.

    Raises:
        UsageError: a sweep cannot be read.
    """
    sweeps = [Machine(evidence) for evidence in records.read_all(files(results))]
    if sweeps:
        yield "## How far the loops of jax are best unrolled\n"
        yield INTRODUCTION
    for machine in sweeps:
        reasons = Reasons()
        cells = machine.cells("steady state")
        packages = ", ".join(f"{name} {version}" for name, version in machine.evidence.targetrl.fingerprint.packages.items())
        yield f"{escaped(machine.name)}: {escaped(packages)}.\n"
        for peer in dict.fromkeys((cell.variant or "").partition(",")[0] for cell in cells):
            mine = [cell for cell in cells if (cell.variant or "").partition(",")[0] == peer]
            yield speeds(machine, mine, reasons) + "\n"
        yield from [*(f"**Weak figures: {escaped(disturbance)}.**" for disturbance in machine.disturbances), *reasons.lines()]
