"""Record how outputs go, step by step, by the oracle and every variant, and where policies end (takes a minute)."""

import argparse

from bench.commands import add_results
from targetrl_core.errors import UsageError, one_of
from targetrl_core.names import DEVICES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where, and what the file is called."""
    parser.add_argument("--device", default="cpu", help=f"one of {one_of(DEVICES)} (default: cpu)")
    parser.add_argument("--label", metavar="NAME", help="name of this machine (default: made from its processor)")
    add_results(parser)


def run(options: argparse.Namespace) -> int:
    """Record, and write the evidence."""
    from bench.evidence.fingerprint import check_label
    from bench.trajectories import record
    from targetrl_core.devices import find_device
    from targetrl_core.files import check_writable

    if options.device not in DEVICES:
        raise UsageError(f"device is {options.device!r}; it must be one of {one_of(DEVICES)}")
    find_device(options.device)
    check_label(options.label)
    check_writable(options.results)
    print(f"wrote {record.main(options.results, options.device, options.label, quiet=options.quiet)}")
    return 0
