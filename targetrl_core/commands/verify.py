"""Check every variant on every device here against the oracle."""

import argparse
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from targetrl_core.commands import FAILED, FINE
from targetrl_core.commands.parser import add_constants, add_output, check_effect, check_population, count, problem_of
from targetrl_core.errors import kind_and_message, one_of
from targetrl_core.listing.defaults import OBJECTIVES
from targetrl_core.names import ARITHMETICS

if TYPE_CHECKING:
    import torch

    from targetrl_core.convergence import Expectation
    from targetrl_core.population import Population
    from targetrl_core.problem import Problem
    from targetrl_core.variants import Variant
    from targetrl_core.verification import Report


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Policies, variants, devices and problems."""
    parser.add_argument("--population", type=count, default=100, metavar="N", help="policies of each check (default: 100)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first policy (default: 0)")
    parser.add_argument("--variant", action="append", help="check this variant only; may be repeated (default: all)")
    parser.add_argument("--device", action="append", help="check on this device only; may be repeated (default: all that are here)")
    parser.add_argument("--objective", action="append", help=f"{one_of(OBJECTIVES)}; may be repeated (default: all)")
    parser.add_argument("--arithmetic", action="append", help=f"{one_of(ARITHMETICS)}; may be repeated (default: all)")
    add_constants(parser)
    add_output(parser)


class _Checks(NamedTuple):
    variants: "list[Variant]"
    devices: "list[torch.device]"
    problems: "list[Problem]"
    population: "Population"

    @property
    def rows(self) -> int:
        return len(self.variants) * len(self.devices) * len(self.problems)


class _NoReport(NamedTuple):
    """Why a variant was not examined to the end."""

    verdict: str
    reason: str


class _Checked(NamedTuple):
    """A variant on a device and a problem: what was found, or why nothing was."""

    variant: "Variant"
    device: "torch.device"
    problem: "Problem"
    result: "Report | _NoReport"

    @property
    def not_run(self) -> bool:
        """Whether the variant cannot run here."""
        return isinstance(self.result, _NoReport) and self.result.verdict == _NOT_RUN

    @property
    def complaints(self) -> list[str]:
        """A line for each reason why it did not converge identically, or for how it failed."""
        where = f"targetrl: {self.variant.name} on {self.device}, {self.problem.objective}, {self.problem.arithmetic}"
        if isinstance(self.result, _NoReport):
            return [] if self.not_run else [f"{where}: {self.result.verdict}: {self.result.reason}"]
        return [f"{where}: {reason}" for reason in self.result.reasons]


_NOT_RUN, _FAILED = "not run", "failed"


def run(options: argparse.Namespace) -> int:
    """Print a row for each; 1 where one diverges, is undecided or fails, or where none could run."""
    from targetrl_core import report_json
    from targetrl_core.progress import progress
    from targetrl_core.report import VERIFY_HEADER

    checks, rows = _checks(options), []
    if not options.json:
        print(VERIFY_HEADER, flush=True)
    with progress(checks.rows, "rows", quiet=options.quiet) as bar:
        for row in _rows(checks):
            rows.append(row)
            if not options.json:
                with bar.external_write_mode():
                    print(_line(row), flush=True)
            bar.update()
    if options.json:
        print(report_json.text({"rows": [_document(row) for row in rows]}))
    complaints = [line for row in rows for line in row.complaints]
    if all(row.not_run for row in rows):
        complaints.append("targetrl: nothing was verified, as no variant that was asked for can run here; its row says why")
    for line in complaints:
        print(line, file=sys.stderr)
    return FAILED if complaints else FINE


def _checks(options: argparse.Namespace) -> _Checks:
    from targetrl_core import VARIANTS, Population, available_devices
    from targetrl_core.devices import find_device
    from targetrl_core.variants import find_variant

    check_population(options.population, options.seed)
    checks = _Checks(
        variants=[find_variant(name) for name in options.variant] if options.variant else list(VARIANTS),
        devices=[find_device(name) for name in options.device or available_devices()],
        population=Population.initialise(options.population, seed=options.seed),
        problems=[
            problem_of(options, objective, arithmetic)
            for objective in options.objective or OBJECTIVES
            for arithmetic in options.arithmetic or ARITHMETICS
        ],
    )
    check_effect(options, options.objective or OBJECTIVES)
    return checks


def _rows(checks: _Checks) -> Iterator[_Checked]:
    """Verify one after another."""
    from targetrl_core.certification import certify

    for device in checks.devices:
        for problem in checks.problems:
            expectation = certify(problem, checks.population)
            for variant in checks.variants:
                yield _Checked(variant, device, problem, _examined(variant, device, problem, checks.population, expectation))


def _examined(
    variant: "Variant", device: "torch.device", problem: "Problem", population: "Population", expectation: "Expectation"
) -> "Report | _NoReport":
    """What is found of one variant; that it fails is its own outcome, and the others go on."""
    from targetrl_core import verify

    try:
        reason = variant.unsupported(problem, device, population.n)
        if reason is not None:
            return _NoReport(_NOT_RUN, reason)
        return verify(problem, population, variant=variant, device=device, expectation=expectation)
    except (Exception, SystemExit) as error:  # noqa: BLE001 — a variant of another package may raise anything
        return _NoReport(_FAILED, kind_and_message(error))


def _line(row: _Checked) -> str:
    from targetrl_core.commands.output import red
    from targetrl_core.report import verify_line, verify_not_measured

    if isinstance(row.result, _NoReport):
        line = verify_not_measured(row.variant.name, row.problem, row.device, f"{row.result.verdict}: {row.result.reason}")
        return line if row.not_run else red(line, sys.stdout)
    line = verify_line(row.result)
    return line if row.result.identical else red(line, sys.stdout)


def _document(row: _Checked) -> dict[str, object]:
    from targetrl_core import report_json

    if isinstance(row.result, _NoReport):
        return report_json.not_verified(row.variant.name, row.problem, row.device, *row.result)
    return report_json.verified(row.result)
