"""Progress bars: on standard error, where someone watches, unless they ask for quiet."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tqdm import tqdm


def progress(total: int, unit: str, *, quiet: bool = False, what: str | None = None) -> "tqdm[None]":
    """A bar of ``total`` units, which leaves nothing behind."""
    from tqdm import tqdm  # slow to import, for a command that has no bar

    # Of None, tqdm makes a bar on a terminal and nothing elsewhere.
    disable = True if quiet else None
    bar: tqdm[None] = tqdm(total=total, desc=what, unit=f" {unit}", unit_scale=True, disable=disable, leave=False, dynamic_ncols=True)
    return bar
