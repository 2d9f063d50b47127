"""Writing evidence: whole or not at all, and where."""

from pathlib import Path

from targetrl_core.files import replacing

RESULTS = Path(__file__).resolve().parent.parent.parent / "results"
"""The project's own evidence, which whole runs of the suites alone write."""


def write_atomically(path: Path, text: str) -> None:
    """Write ``text`` beside ``path`` and move it there in one step; an interruption leaves the old file whole."""
    with replacing(path) as new:
        new.write_text(text, encoding="utf-8", newline="\n")
