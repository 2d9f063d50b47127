"""Say in Markdown which of the files that were expected in a folder of evidence are not there."""

import argparse
import json

from bench.commands import add_results


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The folder, and what is expected in it."""
    add_results(parser)
    parser.add_argument("expected", nargs="+", metavar="LABEL-DEVICE", help="a file that should be there, without .json")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> int:
    """Say it; 1 where none of them is there."""
    from bench.evidence import records

    there = {path.stem for path in records.files(options.results)}
    missing = [name for name in options.expected if name not in there]
    if options.json:
        print(json.dumps({"expected": options.expected, "missing": missing}, indent=1))
    else:
        print(f"Measured: {len(options.expected) - len(missing)} of {len(options.expected)}.\n")
        for name in missing:
            print(f"- not measured: `{name}`, whose job did not leave its file")
    return int(len(missing) == len(options.expected))
