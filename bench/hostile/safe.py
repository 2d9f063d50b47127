"""What a text that is made of a stranger's file must not hold, by where it is shown."""

import csv
import io
import json
import re
from collections.abc import Callable
from typing import Literal, NoReturn

Form = Literal["markdown", "terminal", "csv", "json"]

LINKS = {"results.csv", "results/README.md", "bounds.json"}
"""What the pages themselves link to."""

LONGEST = 1000
"""Characters of a message."""


def why_unsafe(form: Form, text: str) -> str | None:
    """What of a text would take effect where it is shown, or break it; None where nothing would."""
    odd = next((line for line in text.split("\n") if not line.isprintable()), None)
    return f"a line that is not printable: {odd!a:.200}" if odd is not None else CHECKS[form](text)


def why_no_message(message: str, name: str) -> str | None:
    """Why a message is not one plain line that names the file; None where it is."""
    if not message.isprintable() or len(message) > LONGEST:
        return f"a message that is no short line: {message!a:.200}"
    return None if name in message else f"a message that does not name the file: {message}"


def _json(text: str) -> str | None:
    try:
        json.loads(text, parse_constant=_refuse)
    except ValueError as error:
        return f"JSON that others cannot read: {error}"
    return None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"it holds {constant}")


def _csv(text: str) -> str | None:
    """Whole, and without formulas."""
    lines = list(csv.reader(io.StringIO(text)))
    if len({len(line) for line in lines}) != 1:
        return "CSV whose lines differ in length"
    formulas = [cell for line in lines for cell in line if cell.lstrip()[:1] in ("=", "+", "-", "@", "＝") and cell.strip()]
    return f"a formula in CSV: {formulas[0]!a}" if formulas else None


def _markdown(text: str) -> str | None:
    """What is left without escaped characters and code spans has no tag, no entity, no foreign link and no backtick.

    All lines of a table have as many cells: there a bar counts in a code span too, unless it is escaped.
    """
    bare = re.sub(r"\\.|(?<!`)`[^`\n]+`(?!`)", "", text)
    markup = re.search(r"<[A-Za-z/!?]|&[#\w]+;|://|www\.|!\[", bare)
    if markup:
        return f"markup: {bare[max(0, markup.start() - 20) : markup.end() + 20]!a}"
    links = set(re.findall(r"\]\(([^)]*)\)", bare)) - LINKS
    if links:
        return f"a foreign link: {links}"
    if "`" in re.sub(r"^```.*$", "", bare, flags=re.MULTILINE):
        return "a code span without an end"
    tables = re.findall(r"(?:^\|.*\n)+", re.sub(r"\\.", "", text), re.MULTILINE)
    if any(len({line.count("|") for line in table.splitlines()}) != 1 for table in tables):
        return "a table whose lines differ in length"
    return None


def _terminal(_: str) -> None:
    """Its lines are printable, which is all that it takes."""


CHECKS: dict[Form, Callable[[str], str | None]] = {"markdown": _markdown, "terminal": _terminal, "csv": _csv, "json": _json}
