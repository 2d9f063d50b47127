"""``python -m bench``: what reads or makes the files of results/."""

import argparse
import json
import sys
from pathlib import Path

from bench.evidence.files import RESULTS
from targetrl_core.errors import UsageError


def main() -> int:
    """Run a command; 0 fine, 1 something did not converge identically, 2 wrong usage, unreadable input or a package that is missing."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    commands = (
        "report: write the tables anew; schema: print the JSON Schema of evidence files; "
        "bounds: measure how far honest variants are from the oracle (takes minutes); "
        "peers: time jax's loops by how far they are unrolled (takes two minutes)"
    )
    parser.add_argument("command", choices=("report", "schema", "bounds", "peers"), help=commands)
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="DIR", help="where the files are (default: results/)")
    options = parser.parse_args()
    try:
        return _run(options.command, options.results)
    except UsageError as error:
        print(f"bench: {error}", file=sys.stderr)
    except OSError as error:
        print(f"bench: {error.filename2 or error.filename or options.results}: {error.strerror}", file=sys.stderr)
    except ModuleNotFoundError as error:
        print(f"bench: the package {error.name} is missing: install what pyproject.toml names", file=sys.stderr)
    return 2


def _run(command: str, results: Path) -> int:
    if command == "report":
        from bench.report import folder

        for path in folder.write(results):
            print(f"wrote {path}")
    elif command == "schema":
        import msgspec

        from bench.evidence.schema import Evidence

        print(json.dumps(msgspec.json.schema(Evidence), indent=1))
    elif command == "peers":
        from bench.peers import sweep

        return sweep.main(results)
    else:
        from bench import bounds

        bounds.main(results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
