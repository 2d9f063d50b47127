"""How often `bench ab` is wrong and what it finds, as tables: made of the evidence of its self-test."""

from collections.abc import Iterable
from pathlib import Path

from bench.evidence.untrusted import decoded
from bench.tables.cells import coded, escaped
from bench.tables.table import markdown_table
from bench.verdicts.trials import STOCK_PER_CENT, SUFFIX, Tally, Trial, Trials, proportion, rates

INTRODUCTION = f"""One version on both sides, HEAD held up at each call by a share of the call's own time. Measured by
`python -m bench upkeep self-test`.

- False alarms are what is called SLOWER or FASTER where nothing was planted.
- The trials of a row that were timed in the same 16 processes are no independent trials: what befalls a process befalls all of them.
  They are one cluster. A cluster counts as a false alarm where any of its trials is one, and as found where all of its trials are: the
  rate of single trials is no worse than that. The interval is of clusters, exact, 95 % (Clopper and Pearson). Rows of a set share their
  processes too, each with tensors and calls of its own; they are taken for independent.
- SAME is counted of those trials alone whose sides were timed apart too, as in any run of `bench ab`: only there can a difference between
  processes turn it into UNCLEAR. Of the trials of a cluster where nothing was planted that is one.
- On the right what `pytest-benchmark --benchmark-compare-fail=median:{STOCK_PER_CENT:.0f}%` says of the same times apart, a process of each
  side at a time; there is no interval, as several of them are of one cluster.
"""

HEADERS = (
    "planted", "", "trials", "clusters, with the interval of their share", "FASTER", "SAME, where checked apart",
    "decided after 8 processes", "pytest-benchmark alarms",
)  # fmt: skip


def verdicts_section(results: Path) -> Iterable[str]:
    """A table for each self-test of a folder.

    Raises:
        UsageError: its evidence cannot be read.
    """
    tests = [decoded(path, Trials) for path in sorted(results.glob(f"*{SUFFIX}"))]
    if tests:
        yield "## Verdicts: how often they are wrong, and what they find\n"
        yield INTRODUCTION
    for test in tests:
        yield _about(test)
        yield rates_table(test.trials) + "\n"


def rates_table(trials: Iterable[Trial]) -> str:
    """A line for each planted slowdown."""
    lines = []
    for rate in rates(trials):
        alarms = Tally(rate.slower.hits + rate.faster.hits, rate.slower.of)
        shown = rate.slower if rate.planted else alarms
        lines.append(
            (
                f"{rate.planted:.0%}" if rate.planted else "nothing",
                "found" if rate.planted else "false alarms",
                _counted(shown),
                _share(rate.clusters),
                f"{rate.faster.hits}",
                _counted(rate.same),
                f"{rate.early.hits}",
                f"{_counted(rate.stock)}: {rate.stock.hits / rate.stock.of:.1%}" if rate.stock.of else "–",
            )
        )
    return markdown_table(lines, HEADERS)


def _about(test: Trials) -> str:
    f, rows = test.fingerprint, list(dict.fromkeys(trial.row for trial in test.trials))
    where = f"{escaped(test.label)}, {test.device}, {'beside a load in bursts' if test.beside_load else 'nothing beside it'}"
    commit = f"commit {escaped((f.commit or 'unknown')[:10])}{', with uncommitted changes' if f.dirty else ''}"
    names = ", ".join(coded(row) for row in rows)
    return f"{where}; {f.threads} threads, torch {escaped(f.torch)}, {commit}. Rows: {names}.\n"


def _counted(count: Tally) -> str:
    return f"{count.hits} of {count.of}"


def _share(count: Tally) -> str:
    low, value, high = proportion(*count)
    return f"{_counted(count)}: {value:.1%} [{low:.1%}, {high:.1%}]"
