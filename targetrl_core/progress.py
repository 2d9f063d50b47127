"""Progress bars: on standard error, where someone watches, unless they ask for quiet."""

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Never, TypeVar

if TYPE_CHECKING:
    from tqdm import tqdm


Item = TypeVar("Item")

LARGE = 10_000
"""Totals from here on are counted in thousands and millions."""


def watched(items: Collection[Item], unit: str, *, quiet: bool = False, what: str | None = None) -> Iterator[Item]:
    """Each of ``items``, a bar moving on when the next one is asked for."""
    with progress(len(items), unit, quiet=quiet, what=what) as bar:
        for item in items:
            yield item
            bar.update()


def progress(total: int | None, unit: str, *, quiet: bool = False, what: str | None = None) -> "tqdm[Never]":
    """A bar of ``total`` units, a count where that is not known, which leaves nothing behind."""
    from tqdm import tqdm  # slow to import, for a command that has no bar

    # Of None, tqdm makes a bar on a terminal and nothing elsewhere.
    disable = True if quiet else None
    large = total is not None and total >= LARGE
    bar: tqdm[Never] = tqdm(total=total, desc=what, unit=f" {unit}", unit_scale=large, disable=disable, leave=False, dynamic_ncols=True)
    return bar
