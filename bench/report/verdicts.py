"""How often `bench ab` is wrong and what it finds, as tables: made of the evidence of its self-test."""

from collections.abc import Iterable
from pathlib import Path

from bench.evidence.proportion import proportion
from bench.report.cells import coded, escaped
from bench.report.tables import markdown_table
from bench.verdicts.rates import STOCK_PER_CENT, Count, rates
from bench.verdicts.trials import Trial, Trials, files, read

INTRODUCTION = f"""One version on both sides, HEAD held up at each call by a share of the call's own time. False alarms are what is
called SLOWER or FASTER where nothing was planted. Exact 95 % intervals of Clopper and Pearson. On the right what
`pytest-benchmark --benchmark-compare-fail=median:{STOCK_PER_CENT:.0f}%` says of the same processes, one of each side at a time.
Measured by `python -m bench ab --self-test`.
"""


def verdicts_section(results: Path) -> Iterable[str]:
    """A table for each self-test of a folder.

    Raises:
        UsageError: its evidence cannot be read.
    """
    found = [read(path) for path in files(results)]
    if found:
        yield "## Verdicts: how often they are wrong, and what they find\n"
        yield INTRODUCTION
    for one in found:
        yield _about(one)
        yield rates_table(one.trials) + "\n"


def rates_table(trials: Iterable[Trial]) -> str:
    """A line for each planted slowdown."""
    lines = []
    for one in rates(trials):
        alarms = Count(one.slower.found + one.faster.found, one.slower.of)
        shown = one.slower if one.planted else alarms
        lines.append(
            (
                f"{one.planted:.0%}" if one.planted else "nothing",
                "found" if one.planted else "false alarms",
                _share(shown),
                f"{one.faster.found}",
                f"{one.same.found}",
                f"{one.early.found}",
                _share(one.stock),
            )
        )
    return markdown_table(lines, ("planted", "", "verdicts", "FASTER", "SAME", "decided after 8 processes", "pytest-benchmark alarms"))


def _about(one: Trials) -> str:
    f, rows = one.fingerprint, list(dict.fromkeys(trial.row for trial in one.trials))
    where = f"{escaped(one.label)}, {one.device}, {'beside a load in bursts' if one.beside_load else 'nothing beside it'}"
    commit = f"commit {escaped((f.commit or 'unknown')[:10])}{', with uncommitted changes' if f.dirty else ''}"
    names = ", ".join(coded(row) for row in rows)
    return f"{where}; {f.threads} threads, torch {escaped(f.torch)}, {commit}. Rows: {names}.\n"


def _share(count: Count) -> str:
    if not count.of:
        return "–"
    low, value, high = proportion(*count)
    return f"{count.found} of {count.of}: {value:.1%} [{low:.1%}, {high:.1%}]"
