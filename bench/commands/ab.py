"""Say whether HEAD (by default the working tree) is slower or faster than BASE, with a verdict whose error rate is known."""

import argparse
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from targetrl_core.errors import UsageError, one_of
from targetrl_core.names import DEVICES

if TYPE_CHECKING:
    from bench.verdicts.run import Comparison

BUDGET_SECONDS_PER_ROW = 30.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Versions, rows and time."""
    parser.add_argument("base", metavar="BASE", help="a commit, branch or tag")
    parser.add_argument("head", nargs="?", metavar="HEAD", help="another (default: the working tree as it is)")
    parser.add_argument(
        "--select", metavar="EXPR", help="rows whose names an expression fits, as pytest's -k reads it (default: four rows)"
    )
    parser.add_argument("--budget", type=float, metavar="SECONDS", help=f"time for all (default: {BUDGET_SECONDS_PER_ROW:.0f} a row)")
    parser.add_argument("--device", default="cpu", help=f"one of {one_of(DEVICES)} (default: cpu)")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON")
    form.add_argument("--markdown", action="store_true", help="print Markdown")


def run(options: argparse.Namespace) -> int:
    """Compare; 1 where a row is SLOWER."""
    from targetrl_core.devices import find_device

    find_device(options.device)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # told to end, it says what it has, and leaves nothing behind
    if options.budget is not None and not options.budget > 0:
        raise UsageError(f"--budget is {options.budget}; it must be seconds above 0")
    return _compare(options)


def _compare(options: argparse.Namespace) -> int:
    from bench.limit.ceiling import Ceiling
    from bench.timing.cases import select
    from bench.verdicts import table
    from bench.verdicts.messages import RowTask
    from bench.verdicts.run import Comparison, make_rounds
    from bench.verdicts.sides import snapshot
    from targetrl_core.devices import find_device

    chosen = select(options.select, options.device)
    limits = Ceiling().limits(find_device(options.device))  # once for all processes
    with tempfile.TemporaryDirectory(prefix="targetrl-ab-") as name:
        folder = Path(name)
        base, head = snapshot(options.base, folder / "base"), snapshot(options.head, folder / "head")
        with processes_shown("making populations to train", quiet=options.quiet) as tell:
            rounds = make_rounds(chosen, folder)
            tasks = [RowTask(name=row.name, row=row, rounds=rounds[row]) for row in chosen]
            comparison = Comparison(tasks, base, head, options.device, limits)
            comparison.decide(options.budget or BUDGET_SECONDS_PER_ROW * len(chosen), tell)
    show = table.as_json if options.json else table.markdown if options.markdown else table.text
    print(show(comparison))
    if comparison.stopped == "interrupted":
        return 130
    if not comparison.decided:
        raise UsageError("nothing could be compared; the reasons stand above")
    return int(any(decision.verdict == "SLOWER" for decision in comparison.decided.values()))


@contextmanager
def processes_shown(what: str, sets: int = 1, *, quiet: bool) -> Iterator[Callable[["Comparison"], None]]:
    """A bar of processes, on standard error."""
    from bench.verdicts.rule import LAST
    from targetrl_core.progress import progress

    with progress(sets * LAST, "processes", quiet=quiet, what=what) as bar:

        def tell(run: "Comparison") -> None:
            bar.set_description(f"{len(run.open)} of {len(run.tasks)} rows open")
            bar.update()

        yield tell
