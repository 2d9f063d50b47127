"""Plant errors into `batched`, and find how large one of each kind has to be for the examination to find it (takes minutes)."""

import argparse
import json

from targetrl_core.errors import UsageError, one_of
from targetrl_core.names import OBJECTIVES

MOST = 10**5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is examined, and how often."""
    parser.add_argument(
        "--examinations", type=int, default=100, metavar="M", help="all but one in 100 have to find an error (default: 100)"
    )
    parser.add_argument("--policies", type=int, action="append", metavar="N", help="policies of each; may be repeated (default: 100)")
    parser.add_argument("--objective", action="append", help=f"{one_of(OBJECTIVES)}; may be repeated (default: detached, pathwise)")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> int:
    """Measure, and print a row for each kind of error."""
    policies, objectives = options.policies or [100], options.objective or ["detached", "pathwise"]
    _check(options.examinations, policies, objectives)

    from bench import power
    from targetrl_core.progress import progress

    columns = [(objective, n) for n in policies for objective in objectives]
    tasks = [power.Task(kind, *column, options.examinations) for column in columns for kind in (power.NONE, *power.KINDS)]
    with progress(len(tasks), "sizes", quiet=options.quiet) as bar:
        results = power.measure(tasks, bar.update)
    if options.json:
        rows = [result._asdict() for result in results]
        print(json.dumps({"examinations": options.examinations, "results": rows}, indent=1, ensure_ascii=False))
        return 0
    print(power.table(results, options.examinations))
    return 0


def _check(examinations: int, policies: list[int], objectives: list[str]) -> None:
    for name, value in (("examinations", examinations), *(("policies", n) for n in policies)):
        if not 1 <= value <= MOST:
            raise UsageError(f"--{name} is {value}; it must be a whole number from 1 to {MOST:,}")
    for objective in objectives:
        if objective not in OBJECTIVES:
            raise UsageError(f"--objective is {objective!r}; it must be one of {one_of(OBJECTIVES)}")
