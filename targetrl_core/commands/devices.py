"""Say what can run here, and for what cannot, why."""

import argparse

from targetrl_core.commands import FAILED, FINE
from targetrl_core.commands.parser import add_output


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How it is said."""
    add_output(parser)


def run(options: argparse.Namespace) -> int:
    """Print a line for each device and variant; 1 where a variant fails to say whether it can run."""
    from targetrl_core import report_json
    from targetrl_core.report import device_lines, places

    listed = list(places())
    for line in [report_json.text(report_json.devices(listed))] if options.json else device_lines(listed):
        print(line)
    return FAILED if any(place.failed for place in listed) else FINE
