"""``python -m bench``: what reads or makes the files of results/."""

import argparse
import json
import sys
from pathlib import Path

from bench.evidence.files import RESULTS
from targetrl_core.errors import UsageError


def main() -> int:
    """Run a command; 0 fine, 2 unreadable input."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    commands = (
        "report: write the tables anew; schema: print the JSON Schema of evidence files; "
        "bounds: measure how far honest variants are from the oracle (takes minutes)"
    )
    parser.add_argument("command", choices=("report", "schema", "bounds"), help=commands)
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="DIR", help="where the files are (default: results/)")
    options = parser.parse_args()
    try:
        if options.command == "report":
            from bench.report import folder

            for path in folder.write(options.results):
                print(f"wrote {path}")
        elif options.command == "schema":
            import msgspec

            from bench.evidence.schema import Evidence

            print(json.dumps(msgspec.json.schema(Evidence), indent=1))
        else:
            from bench import bounds

            bounds.main(options.results)
    except UsageError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
