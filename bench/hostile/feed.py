"""Feeds spoiled files to their readers, and counts what becomes of them."""

import json
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.hostile.readers import GOOD_FILE, READERS, Reader, real_evidence
from bench.hostile.safe import why_no_message, why_unsafe
from bench.hostile.spoil import Place, places, spoiled
from targetrl_core.errors import UsageError

LONGEST_SECONDS = 5.0
"""Most that one file may take, on a busy machine too: those that are refused take milliseconds."""

QUOTED = 20
"""Most failures of a reader that are told."""


@dataclass
class Count:
    """What became of a reader's files.

    Attributes:
        files: how many there were.
        refused: in one line that names the file.
        shown: safely.
        failed: neither, or not soon enough.
        slowest_seconds: what the slowest file took.
        failures: of the first that failed, number and reason.
    """

    files: int = 0
    refused: int = 0
    shown: int = 0
    failed: int = 0
    slowest_seconds: float = 0.0
    failures: list[str] = field(default_factory=list)

    def add(self, number: int, found: "Fed", seconds: float) -> None:
        """Count a file."""
        why = found.failure or (f"it took {seconds:.1f} s" if seconds > LONGEST_SECONDS else None)
        self.files += 1
        self.refused += why is None and found.refused
        self.shown += why is None and not found.refused
        self.failed += why is not None
        self.slowest_seconds = max(self.slowest_seconds, seconds)
        if why is not None and len(self.failures) < QUOTED:
            self.failures.append(f"file {number}: {why}")


@dataclass(frozen=True)
class Fed:
    """What became of one file: whether it was refused, and what went wrong."""

    refused: bool
    failure: str | None = None


def feed(  # noqa: PLR0913 — all but one are keywords
    files: int,
    *,
    first: int = 0,
    seed: int = 0,
    readers: Sequence[Reader] = READERS,
    keep: Path | None = None,
    tell: Callable[[int], object] = lambda _: None,
) -> dict[str, Count]:
    """Feed files ``first`` … ``first + files − 1`` of a seed to the readers, in turns; a file depends on seed and number alone.

    Args:
        files: how many.
        first: number of the first one.
        seed: which files.
        readers: whose turn it is, one after the other.
        keep: a folder where files go that are neither refused nor shown safely.
        tell: is told after each.
    """
    counts = {reader.name: Count() for reader in readers}
    turns = [(reader, *known_of(reader)) for reader in readers for _ in range(reader.turns)]
    with folders(readers) as of_reader:
        for number in range(first, first + files):
            reader, known, at = turns[number % len(turns)]
            path = of_reader[reader.name] / reader.file
            path.write_bytes(reader.pack(spoiled(known, at, random.Random(f"{seed} {number}"))))  # noqa: S311 — no secret
            begun = time.perf_counter()
            found = feed_one(reader, path)
            counts[reader.name].add(number, found, time.perf_counter() - begun)
            if found.failure and keep is not None:
                keep.mkdir(parents=True, exist_ok=True)
                path.replace(keep / f"{number}-{reader.file}")
            tell(1)
    return counts


def feed_one(reader: Reader, path: Path) -> Fed:
    """Whether a file is refused, or shown safely."""
    try:
        for form, text in reader.show(path.parent):
            why = why_unsafe(form, text)
            if why is not None:
                return Fed(refused=False, failure=f"shown with {why}")
    except UsageError as error:
        return Fed(refused=True, failure=why_no_message(str(error), reader.file))
    except Exception as error:  # noqa: BLE001 — whatever it is, it is a crash to be counted
        return Fed(refused=False, failure=f"{type(error).__name__}: {error}"[:200])
    return Fed(refused=False)


def known_of(reader: Reader) -> tuple[bytes, list[Place]]:
    """A good file, and the places that may be changed in it."""
    content = reader.known()
    return json.dumps(content).encode(), [place for place in places(content) if not reader.roots or place[0] in reader.roots]


@contextmanager
def folders(readers: Sequence[Reader]) -> Iterator[dict[str, Path]]:
    """A folder for each reader, with a good evidence file in it to compare with; gone in the end."""
    with tempfile.TemporaryDirectory(prefix="targetrl-hostile-") as name:
        found = {reader.name: Path(name) / str(number) for number, reader in enumerate(readers)}
        for folder in found.values():
            folder.mkdir()
            (folder / GOOD_FILE).write_text(json.dumps(real_evidence()), encoding="utf-8")
        yield found
