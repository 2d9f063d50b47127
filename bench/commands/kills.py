"""Kill checkpointed runs at random moments, resume each, and count those that end as an uninterrupted one."""

import argparse

from targetrl_core.errors import UsageError

MOST = 10**6


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How many, and of what runs."""
    parser.add_argument("--kills", type=int, default=100, help="runs that are killed (default: 100, some eight minutes)")
    parser.add_argument("--policies", type=float, default=2e7, metavar="N", help="policies of a run (default: 2e7)")


def run(options: argparse.Namespace) -> int:
    """Kill and count; 1 where a run did not end as it has to."""
    if not 1 <= options.kills <= MOST:
        raise UsageError(f"--kills is {options.kills}; it must be a whole number from 1 to {MOST}")
    if not 2 <= options.policies <= 1e15 or options.policies != int(options.policies):  # noqa: PLR2004 — one policy is no population
        raise UsageError(f"--policies is {options.policies:g}; it must be a whole number from 2 to 1e15")

    from bench import kills
    from targetrl_core.progress import progress

    with progress(options.kills, "kills", quiet=options.quiet) as bar:
        found = kills.measure(int(options.policies), options.kills, bar.update)
    print(kills.text(found))
    return int(not all(kill.resumed for kill in found.found))
