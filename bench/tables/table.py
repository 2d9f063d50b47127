"""A table of cells that are text already, and the reasons that stand below it for those without a number."""

from collections.abc import Callable, Iterable, Sequence

from tabulate import tabulate

from bench.evidence.schema import Absence
from bench.tables.cells import escaped


def markdown_table(lines: Iterable[Iterable[object]], headers: Sequence[str]) -> str:
    """A Markdown table of cells that are text already."""
    return tabulate([list(line) for line in lines], headers=headers, tablefmt="github", disable_numparse=True)


class Reasons:
    """Why cells have no number: numbered as they come up, each once, and listed at the end.

    ``quote`` makes text of a file safe for where it is shown, and ``strong`` stands on both sides of what is to be seen.
    """

    def __init__(self, quote: Callable[[object], str] = escaped, strong: str = "**") -> None:
        self.numbers: dict[tuple[str, str], int] = {}
        self.quote, self.strong = quote, strong

    def cell(self, absence: Absence | None) -> str:
        """What stands in a cell without a number."""
        kind, reason = (absence.kind, absence.reason) if absence else ("not measured", "not part of this run")
        number = self.numbers.setdefault((kind, reason), len(self.numbers) + 1)
        return f"{f'{self.strong}withheld{self.strong}' if kind == 'withheld' else '–'} ({number})"

    def lines(self) -> list[str]:
        """The list."""
        return [f"({number}) {kind}: {self.quote(reason)}  " for (kind, reason), number in self.numbers.items()]
