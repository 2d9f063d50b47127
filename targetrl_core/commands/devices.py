"""Say what can run here, and for what cannot, why."""

import argparse

from targetrl_core.commands import FINE
from targetrl_core.commands.parser import add_output


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How it is said."""
    add_output(parser)


def run(options: argparse.Namespace) -> int:
    """Print a line for each device and variant."""
    from targetrl_core import report_json
    from targetrl_core.report import device_lines

    for line in [report_json.text(report_json.devices())] if options.json else device_lines():
        print(line)
    return FINE
