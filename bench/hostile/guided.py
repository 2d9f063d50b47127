"""The same readers, led by coverage: what reaches new code is changed further. ``python -m bench.hostile.guided -max_total_time=600``.

The options are libFuzzer's. A file that fails is left in the current folder, its first byte the number of its reader. Needs atheris
(``pip install '.[fuzz]'``), which has wheels for Linux.
"""

import json
import random
import sys
import tempfile
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["bench.comparison", "bench.evidence", "bench.report", "bench.trajectories", "bench.verdicts"]):
    from bench.hostile.feed import feed_one, folders, known_of
    from bench.hostile.readers import READERS
from bench.hostile.spoil import places, spoiled


def main() -> int:
    """Fuzz until libFuzzer's options end it; returns its exit code."""
    with tempfile.TemporaryDirectory(prefix="targetrl-guided-") as name, folders(READERS) as of_reader:
        corpus = Path(name)
        for number, reader in enumerate(READERS):
            (corpus / reader.name).write_bytes(bytes([number]) + known_of(reader)[0])

        def read(data: bytes) -> None:
            if not data:
                return
            reader = READERS[data[0] % len(READERS)]
            path = of_reader[reader.name] / reader.file
            path.write_bytes(reader.pack(data[1:]))
            failure = feed_one(reader, path).failure
            if failure is not None:
                raise RuntimeError(f"{reader.name}: {failure}")

        fuzzing = get_context("fork").Process(target=_fuzz, args=(corpus, read))  # libFuzzer ends the process that it is in
        fuzzing.start()
        fuzzing.join()
        return fuzzing.exitcode or 0


def _fuzz(corpus: Path, read: Callable[[bytes], None]) -> None:
    atheris.Setup([*sys.argv, str(corpus)], read, custom_mutator=_changed)
    atheris.Fuzz()


def _changed(data: bytes, most: int, seed: int) -> bytes:
    """A file changed as JSON where it is some, else by its bytes; the reader stays."""
    dice = random.Random(seed)  # noqa: S311 — no secret
    try:
        found = list(places(json.loads(data[1:]))) if dice.random() < 0.7 else []  # noqa: PLR2004 — mostly
    except (ValueError, RecursionError):
        found = []
    new = spoiled(data[1:], found, dice) if found else atheris.Mutate(data[1:], max(1, most - 1))
    return data[:1] + new[: most - 1]


if __name__ == "__main__":
    sys.exit(main())
