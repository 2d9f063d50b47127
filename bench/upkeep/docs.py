"""Write the pages and pictures of docs/ anew, and the tables that report writes."""

import argparse
from collections.abc import Iterator
from pathlib import Path

from bench.commands import add_results


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The folders."""
    add_results(parser)
    parser.add_argument("--docs", type=Path, default=Path(__file__).parents[2] / "docs", metavar="DIR", help="where the pages are (docs/)")


def run(options: argparse.Namespace) -> int:
    """Write, and say what was written."""
    from bench.report import folder
    from targetrl_core.extras import require_extra
    from targetrl_core.files import replacing
    from targetrl_core.progress import progress

    require_extra("sweep", "matplotlib")
    made: dict[str, str | bytes] = {}
    with progress(None, "files", quiet=options.quiet) as bar:
        for name, content in _contents():
            made[name] = content
            bar.update()
    options.docs.mkdir(exist_ok=True)
    for name, content in made.items():
        with replacing(options.docs / name) as new:
            new.write_bytes(content if isinstance(content, bytes) else content.encode())
        print(f"wrote {options.docs / name}")
    for line in folder.write(options.results, quiet=options.quiet):
        print(line)
    return 0


def _contents() -> Iterator[tuple[str, str | bytes]]:
    """Each page and picture, by its name."""
    from bench.docs import basins, objectives, pictures

    yield "objectives.md", objectives.text()
    yield basins.PICTURE, basins.png()
    for name, specification in pictures.specifications().items():
        yield name, pictures.svg(specification)
