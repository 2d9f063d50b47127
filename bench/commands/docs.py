"""Write the pages and pictures of docs/ anew, and the tables that report writes."""

import argparse
from pathlib import Path

from bench.commands import add_results


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The folders."""
    add_results(parser)
    parser.add_argument("--docs", type=Path, default=Path(__file__).parents[2] / "docs", metavar="DIR", help="where the pages are (docs/)")


def run(options: argparse.Namespace) -> int:
    """Write, and say what was written."""
    from bench.docs import objectives, pictures
    from bench.evidence.files import write_atomically
    from bench.report import folder

    drawn = {name: pictures.svg(specification) for name, specification in pictures.specifications().items()}
    options.docs.mkdir(exist_ok=True)
    for name, content in {"objectives.md": objectives.text(), **drawn}.items():
        write_atomically(options.docs / name, content)
        print(f"wrote {options.docs / name}")
    for path in folder.write(options.results):
        print(f"wrote {path}")
    return 0
