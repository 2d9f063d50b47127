"""How a comparison is written: the same sections as Markdown, or as text for a terminal."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from tabulate import tabulate

from bench.evidence.untrusted import plain
from bench.report.cells import coded, escaped


class Style(NamedTuple):
    """``quote`` makes a file's text safe to show, ``name`` a name such as a variant's; the others are for titles and what is to be seen."""

    quote: Callable[[object], str]
    name: Callable[[object], str]
    strong: str
    heading: str
    table_format: str

    def table(self, lines: Iterable[Sequence[str]], headers: Sequence[str]) -> str:
        """A table of cells that are safe already."""
        return tabulate([list(line) for line in lines], headers=headers, tablefmt=self.table_format, disable_numparse=True) + "\n"


MARKDOWN = Style(escaped, coded, strong="**", heading="## ", table_format="github")
TERMINAL = Style(plain, plain, strong="", heading="", table_format="simple")
