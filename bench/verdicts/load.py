"""A bursty load for the self-test: burns one core for a while, rests for a while, until it is killed. ``python -m bench.verdicts.load``."""

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bench.verdicts.sides import ROOT

SECONDS = (0.2, 2.0)
"""Bursts, and the rests between them, last as long at least and at most."""


@contextmanager
def beside_load() -> Iterator[None]:
    """Let a process burn a core in bursts meanwhile."""
    process = subprocess.Popen([sys.executable, "-m", "bench.verdicts.load"], cwd=ROOT)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def main() -> None:
    """Burn and rest."""
    generator = random.Random(0)  # noqa: S311 — no secret
    while True:
        until = time.monotonic() + generator.uniform(*SECONDS)
        while time.monotonic() < until:
            pass
        time.sleep(generator.uniform(*SECONDS))


if __name__ == "__main__":
    main()
