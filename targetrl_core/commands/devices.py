"""Say what can run here, and for what cannot, why."""

import argparse

from targetrl_core.commands import FAILED, FINE
from targetrl_core.commands.output import say
from targetrl_core.commands.parser import add_output


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How it is said."""
    add_output(parser)


def run(options: argparse.Namespace) -> int:
    """Print a line for each device and variant; 1 where a variant fails to say whether it can run."""
    from targetrl_core.report import device_lines, devices_document, places

    listed = list(places())
    say(options, device_lines(listed), lambda: devices_document(listed))
    return FAILED if any(place.failed for place in listed) else FINE
