"""The sweep that the peers' unrolling is chosen by: rows of pytest-benchmark, each through the gate, kept as evidence of its own."""

import tempfile
from pathlib import Path

import pytest

from bench.evidence import records
from bench.evidence.files import write_atomically
from bench.peers.requirements import missing
from bench.report import folder
from targetrl_core.errors import UsageError

SUITE = Path(__file__).parent / "sweep_suite.py"


def main(results: Path, *, quiet: bool = False) -> int:
    """Time every row and write ``<label>-<device>-sweep.json`` and the tables; returns 0, or 1 where a row was withheld.

    Raises:
        UsageError: jax is not installed.
    """
    absent = missing("jax")
    if absent is not None:
        raise UsageError(absent)
    with tempfile.TemporaryDirectory() as scratch:
        said = ["--quiet"] if quiet else []
        code = pytest.main([str(SUITE), "--benchmark-only", "--peers", f"--results={scratch}", "-p", "no:cacheprovider", *said])
        swept = [] if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED) else records.files(Path(scratch))
        for path in swept:
            write_atomically(results / f"{path.stem}-sweep.json", path.read_text(encoding="utf-8"))
    written = [f"wrote {results}/{path.stem}-sweep.json" for path in swept]
    # The tables are of machines first: in a folder without any a sweep has none to stand beside.
    tables = folder.write(results) if swept and records.files(results) else []
    for line in (*written, *tables):
        print(line)
    return int(code != pytest.ExitCode.OK)
