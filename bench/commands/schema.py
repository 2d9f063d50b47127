"""Print the JSON Schema of evidence files."""

import argparse
import json


def add_arguments(_parser: argparse.ArgumentParser) -> None:
    """It takes nothing."""


def run(_options: argparse.Namespace) -> int:
    """Print it."""
    import msgspec

    from bench.evidence.schema import Evidence

    print(json.dumps(msgspec.json.schema(Evidence), indent=1))
    return 0
