"""Progress bars: on standard error, where someone watches, unless they ask for quiet."""

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Never, TypeVar

if TYPE_CHECKING:
    from tqdm import tqdm


One = TypeVar("One")

LARGE = 10_000
"""Totals from here on are counted in thousands and millions."""


def watched(those: Collection[One], unit: str, *, quiet: bool = False, what: str | None = None) -> Iterator[One]:
    """Each of ``those``, a bar moving on when the next one is asked for."""
    with progress(len(those), unit, quiet=quiet, what=what) as bar:
        for one in those:
            yield one
            bar.update()


def progress(total: int | None, unit: str, *, quiet: bool = False, what: str | None = None) -> "tqdm[Never]":
    """A bar of ``total`` units, a count where that is not known, which leaves nothing behind."""
    from tqdm import tqdm  # slow to import, for a command that has no bar

    # Of None, tqdm makes a bar on a terminal and nothing elsewhere.
    disable = True if quiet else None
    large = total is not None and total >= LARGE
    bar: tqdm[Never] = tqdm(total=total, desc=what, unit=f" {unit}", unit_scale=large, disable=disable, leave=False, dynamic_ncols=True)
    return bar
