"""Why a row has no number: what its exception says, in one line that names no one."""

import re
from pathlib import Path

LONGEST = 500
"""Characters of an exception that are kept; what a compiler says can be pages."""

PATH = re.compile(r"(?<![\w/\\.~-])(?:file://)?(?:~|[A-Za-z]:)?(?:[/\\][^\s/\\:;,'\"()\[\]<>|]+){2,}[/\\]?")
"""A path that begins at a root or a home, with at least two parts."""

SHOWN = 3
"""Of a path with as many parts the last one is kept: it cannot be the name of someone's home."""


def one_line(text: str) -> str:
    """The first line of a text that says something, without the paths that would tell whose machine it is."""
    first = next((line.strip() for line in text.splitlines() if line.strip()), "no reason given")
    home = str(Path.home())  # a part of it may be what the pattern does not foresee, such as a space
    return PATH.sub(_shortened, first.replace(home, "~") if len(home) > 1 else first)[:LONGEST]


def last_words(errors: Path) -> str:
    """The last line that a process wrote to the file of its standard error."""
    return (errors.read_text(errors="replace").strip().splitlines() or ["it said nothing"])[-1]


def _shortened(match: re.Match[str]) -> str:
    parts = re.split(r"[/\\]", match[0].rstrip("/\\"))
    return parts[-1] if len(parts) > SHOWN and "." in parts[-1] else "…"
