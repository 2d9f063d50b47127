"""Say what can run here, and for what cannot, why."""

import argparse

from targetrl_core.commands import FINE


def add_arguments(_parser: argparse.ArgumentParser) -> None:
    """It takes nothing."""


def run(_options: argparse.Namespace) -> int:
    """Print a line for each device and variant."""
    from targetrl_core.report import device_lines

    for line in device_lines():
        print(line)
    return FINE
