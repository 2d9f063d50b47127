"""Check every variant on every device here against the oracle."""

import argparse
import sys
from collections.abc import Iterator
from itertools import product
from typing import TYPE_CHECKING

from targetrl_core.commands import FAILED, FINE
from targetrl_core.commands.output import json_text, red
from targetrl_core.commands.parser import add_constants, add_output, check_effect, check_population, count, problem_of
from targetrl_core.errors import kind_and_message, one_of
from targetrl_core.listing.defaults import OBJECTIVES
from targetrl_core.names import ARITHMETICS

if TYPE_CHECKING:
    import torch

    from targetrl_core.convergence import Expectation
    from targetrl_core.population import Population
    from targetrl_core.problem import Problem
    from targetrl_core.report import Checked
    from targetrl_core.variants import Variant


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


def run(options: argparse.Namespace) -> int:
    """Print a row for each; 1 where one diverges, is undecided or fails, or where none could run."""
    from targetrl_core.progress import progress
    from targetrl_core.report import VERIFY_HEADER, verify_document, verify_line

    variants, places, population = _checks(options)
    rows: list[Checked] = []
    if not options.json:
        print(VERIFY_HEADER, flush=True)
    with progress(len(variants) * len(places), "rows", quiet=options.quiet) as bar:
        for row in _rows(variants, places, population):
            rows.append(row)
            if not options.json:
                line = verify_line(row)
                with bar.external_write_mode():
                    print(red(line, sys.stdout) if row.complaints else line, flush=True)
            bar.update()
    if options.json:
        print(json_text({"rows": [verify_document(row) for row in rows]}))
    complaints = [line for row in rows for line in row.complaints]
    if all(row.verdict == "not run" for row in rows):
        complaints.append("nothing was verified, as no variant that was asked for can run here; its row says why")
    for line in complaints:
        print(f"targetrl: {line}", file=sys.stderr)
    return FAILED if complaints else FINE


def _checks(options: argparse.Namespace) -> "tuple[list[Variant], list[tuple[torch.device, Problem]], Population]":
    """The variants, where and on what each is verified, and the policies."""
    from targetrl_core import VARIANTS, Population, available_devices
    from targetrl_core.devices import find_device
    from targetrl_core.variants import find_variant

    check_population(options.population, options.seed)
    variants = [find_variant(name) for name in options.variant] if options.variant else list(VARIANTS)
    devices = [find_device(name) for name in options.device or available_devices()]
    population = Population.initialise(options.population, seed=options.seed)
    objectives = options.objective or OBJECTIVES
    problems = [problem_of(options, *names) for names in product(objectives, options.arithmetic or ARITHMETICS)]
    check_effect(options, objectives)
    return variants, list(product(devices, problems)), population


def _rows(variants: "list[Variant]", places: "list[tuple[torch.device, Problem]]", population: "Population") -> "Iterator[Checked]":
    """Verify each variant in each place, one after another."""
    from targetrl_core.certification import certify

    for device, problem in places:
        expectation = certify(problem, population)
        for variant in variants:
            yield _checked(variant, device, problem, population, expectation)


def _checked(
    variant: "Variant", device: "torch.device", problem: "Problem", population: "Population", expectation: "Expectation"
) -> "Checked":
    """What comes of one variant; that it fails is its own outcome, and the others go on."""
    from targetrl_core import verify
    from targetrl_core.report import Checked

    row = Checked(variant.name, device, problem, "not run")
    try:
        reason = variant.unsupported(problem, device, population.n)
        if reason is not None:
            return row._replace(reasons=(reason,))
        report = verify(problem, population, variant=variant, device=device, expectation=expectation)
        return row._replace(verdict=report.level, reasons=report.reasons, report=report)
    except (Exception, SystemExit) as error:  # noqa: BLE001 — a variant of another package may raise anything
        return row._replace(verdict="failed", reasons=(kind_and_message(error),))
