"""results.csv: every row of every device, those without a number included."""

from collections.abc import Iterable, Iterator

from msgspec import structs

from bench.evidence import records
from bench.evidence.machine import Machine
from bench.evidence.schema import Benchmark
from bench.limit.compute import limit_of
from bench.tables import flat
from bench.tables.flat import Record

COLUMNS = (
    "label", "device", "question", "variant", "objective", "optimizer", "arithmetic", "policies", "steps", "cache", "ranks", "status",
    "reason", "policy_steps_per_second", "low", "high", "seconds", "rounds", "marks", "identity", "max_ulp", "ambiguous", "at_target",
    "collapsed", "saturated", "elsewhere", "prepare_seconds", "compile_seconds", "peak_memory_bytes", "launches_per_step",
    "steps_to_target", "limit_share", "limit_binds", "threads", "torch", "commit",
)  # fmt: skip
"""``policy_steps_per_second`` are policies per second where no policy is trained."""


def text(machines: Iterable[Machine]) -> str:
    """The file's content."""
    return flat.as_csv(COLUMNS, (line for machine in machines for line in _lines(machine)))


def _lines(machine: Machine) -> Iterator[Record]:
    part = machine.evidence.targetrl
    device = {"label": part.label, "device": part.device, "torch": part.fingerprint.torch, "commit": part.fingerprint.commit}
    for row in machine.evidence.benchmarks:
        yield device | structs.asdict(row.extra_info) | row.extra_info.outcomes | flat.measured(machine, row) | _more(machine, row)
    for absence in part.absent:
        yield device | (flat.place(absence.cell) if absence.cell else {}) | flat.absent(absence)


def _more(machine: Machine, row: Benchmark) -> Record:
    """What no field of the row itself says."""
    speed, limit = machine.speed(row), limit_of(machine.evidence.targetrl, row.extra_info)
    share = {} if limit is None else {"limit_share": speed.value / limit.speed, "limit_binds": limit.binds}
    return share | {
        "policy_steps_per_second": speed.value, "low": speed.low, "high": speed.high, "rounds": len(row.stats.data),
        "peak_memory_bytes": records.peak_memory(row.extra_info),
    }  # fmt: skip
