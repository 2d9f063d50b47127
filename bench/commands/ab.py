"""Say whether HEAD (by default the working tree) is slower or faster than BASE, with a verdict whose error rate is known."""

import argparse
import json
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bench.commands import add_results
from targetrl_core.errors import UsageError, one_of
from targetrl_core.names import DEVICES

if TYPE_CHECKING:
    from bench.verdicts.run import Run
    from bench.verdicts.trials import Trial

BUDGET_SECONDS_PER_ROW = 30.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Versions, rows and time."""
    parser.add_argument("base", nargs="?", metavar="BASE", help="a commit, branch or tag")
    parser.add_argument("head", nargs="?", metavar="HEAD", help="another (default: the working tree as it is)")
    parser.add_argument(
        "--select", metavar="EXPR", help="rows whose names an expression fits, as pytest's -k reads it (default: four rows)"
    )
    parser.add_argument("--budget", type=float, metavar="SECONDS", help=f"time for all (default: {BUDGET_SECONDS_PER_ROW:.0f} a row)")
    parser.add_argument("--device", default="cpu", help=f"one of {one_of(DEVICES)} (default: cpu)")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON")
    form.add_argument("--markdown", action="store_true", help="print Markdown")
    test = parser.add_argument_group("the rule's own test")
    test.add_argument("--self-test", action="store_true", help="measure the rate of false alarms and what slowdowns are found; takes long")
    test.add_argument("--sets", type=int, default=1, help="how often it is repeated (default: 1, some seven minutes)")
    test.add_argument("--beside-load", action="store_true", help="do so beside a process that burns a core in bursts")
    add_results(parser)


def run(options: argparse.Namespace) -> int:
    """Compare; 1 where a row is SLOWER."""
    from targetrl_core.devices import find_device

    find_device(options.device)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # told to end, it says what it has, and leaves nothing behind
    if options.self_test and options.base is not None:
        raise UsageError(f"BASE is {options.base!r}; --self-test compares the working tree with itself and takes none")
    if options.self_test:
        return _self_test(options)
    if options.base is None:
        raise UsageError("BASE is missing; it must be a commit, a branch or a tag, or name --self-test")
    if options.budget is not None and not options.budget > 0:
        raise UsageError(f"--budget is {options.budget}; it must be seconds above 0")
    return _compare(options)


def _compare(options: argparse.Namespace) -> int:
    from bench.verdicts import rows, table
    from bench.verdicts.messages import RowTask
    from bench.verdicts.run import Run, make_rounds, measure_limits
    from bench.verdicts.sides import snapshot

    chosen = rows.select(options.select, options.device)
    limits = measure_limits(options.device)
    with tempfile.TemporaryDirectory(prefix="targetrl-ab-") as name:
        folder = Path(name)
        base, head = snapshot(options.base, folder / "base"), snapshot(options.head, folder / "head")
        with _progress("making populations to train", quiet=options.quiet) as tell:
            rounds = make_rounds(chosen, folder)
            asked = [RowTask(name=row.name, row=row, rounds=rounds[row]) for row in chosen]
            found = Run(asked, {"base": str(base.folder), "head": str(head.folder)}, options.device, limits)
            found.decide(options.budget or BUDGET_SECONDS_PER_ROW * len(chosen), tell)
    show = table.as_json if options.json else table.markdown if options.markdown else table.text
    print(show(found, base, head))
    if found.stopped == "interrupted":
        return 130
    if not found.decided:
        raise UsageError("nothing could be compared; the reasons stand above")
    return int(any(one.verdict == "SLOWER" for one in found.decided.values()))


def _self_test(options: argparse.Namespace) -> int:
    from bench.report.verdicts import rates_table
    from bench.verdicts import selftest

    if options.sets < 1:
        raise UsageError(f"--sets is {options.sets}; it must be at least 1")
    with _progress("sets of 16 processes", options.sets, quiet=options.quiet) as tell:
        trials, path = selftest.main(options.results, options.device, options.sets, beside_load=options.beside_load, tell=tell)
    print(rates_json(trials, path) if options.json else f"{rates_table(trials)}\nwrote {path}")
    return 0


def rates_json(trials: "list[Trial]", path: Path) -> str:
    """The self-test's counts, for programs; ``interval`` is of the share of clusters."""
    from bench.evidence.proportion import proportion
    from bench.evidence.records import CONFIDENCE
    from bench.verdicts.rates import rates

    counted = [
        {name: value if name == "planted" else value._asdict() for name, value in rate._asdict().items()}
        | {"interval": proportion(*rate.clusters)._asdict() | {"level": CONFIDENCE}}
        for rate in rates(trials)
    ]
    return json.dumps({"rates": counted, "written": str(path)}, indent=1)


@contextmanager
def _progress(what: str, sets: int = 1, *, quiet: bool) -> Iterator[Callable[["Run"], None]]:
    """A bar of processes, on standard error."""
    from bench.verdicts.rule import LAST
    from targetrl_core.progress import progress

    with progress(sets * LAST, "processes", quiet=quiet, what=what) as bar:

        def tell(run: "Run") -> None:
            bar.set_description(f"{len(run.open)} of {len(run.asked)} rows open")
            bar.update()

        yield tell
