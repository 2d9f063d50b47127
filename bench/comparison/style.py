"""How a comparison is written: the same sections as Markdown, or as text for a terminal."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from tabulate import tabulate

from bench.evidence.untrusted import plain
from bench.report.cells import escaped


class Style(NamedTuple):
    """``quote`` makes a file's text safe to show; the others stand around titles, names and what is to be seen."""

    quote: Callable[[object], str]
    code: str
    strong: str
    heading: str
    table_format: str

    def name(self, text: object) -> str:
        """A name out of a file, such as a variant's."""
        return f"{self.code}{self.quote(text)}{self.code}"

    def table(self, lines: Iterable[Sequence[str]], headers: Sequence[str]) -> str:
        """A table of cells that are safe already."""
        return tabulate([list(line) for line in lines], headers=headers, tablefmt=self.table_format, disable_numparse=True) + "\n"


MARKDOWN = Style(escaped, code="`", strong="**", heading="## ", table_format="github")
TERMINAL = Style(plain, code="", strong="", heading="", table_format="simple")
