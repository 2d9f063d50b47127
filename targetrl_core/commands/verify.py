"""Check every variant on every device here against the oracle."""

import argparse
import sys

from targetrl_core.commands import FAILED, FINE
from targetrl_core.commands.parser import add_constants, count, problem_of
from targetrl_core.errors import one_of
from targetrl_core.names import ARITHMETICS, OBJECTIVES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Policies, variants, devices and problems."""
    parser.add_argument("--population", type=count, default=100, metavar="N", help="policies of each check (default: 100)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first policy (default: 0)")
    parser.add_argument("--variant", action="append", help="check this variant only; may be repeated (default: all)")
    parser.add_argument("--device", action="append", help="check on this device only; may be repeated (default: all that are here)")
    parser.add_argument("--objective", action="append", help=f"{one_of(OBJECTIVES)}; may be repeated (default: all)")
    parser.add_argument("--arithmetic", action="append", help=f"{one_of(ARITHMETICS)}; may be repeated (default: all)")
    add_constants(parser)


def run(options: argparse.Namespace) -> int:
    """Print a row for each; 1 where one diverges."""
    from targetrl_core import VARIANTS, Population, available_devices, verify
    from targetrl_core.devices import find_device
    from targetrl_core.report import VERIFY_HEADER, verify_line, verify_not_measured
    from targetrl_core.variants import find_variant
    from targetrl_core.verification import certify

    variants = [find_variant(name) for name in options.variant] if options.variant else list(VARIANTS)
    devices = [find_device(name) for name in options.device or available_devices()]
    population = Population.initialise(options.population, seed=options.seed)
    problems = [
        problem_of(options, objective, arithmetic)
        for objective in options.objective or OBJECTIVES
        for arithmetic in options.arithmetic or ARITHMETICS
    ]
    print(VERIFY_HEADER)
    diverged = []
    for device in devices:
        for problem in problems:
            expectation = certify(problem, population)
            for variant in variants:
                reason = variant.unsupported(problem, device, population.n)
                if reason is not None:
                    print(verify_not_measured(variant.name, problem, device, reason), flush=True)
                    continue
                report = verify(problem, population, variant=variant, device=device, expectation=expectation)
                print(verify_line(report), flush=True)
                row = f"targetrl: {variant.name} on {device}, {problem.objective}, {problem.arithmetic}"
                diverged += [f"{row}: {reason}" for reason in report.reasons]
    for line in diverged:
        print(line, file=sys.stderr)
    return FAILED if diverged else FINE
