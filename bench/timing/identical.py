"""How a row is withheld: whatever is not identical, or was left changed, is an error that says so."""

from collections.abc import Iterator
from contextlib import contextmanager

from targetrl_core.surroundings import Surroundings


class NotIdenticalError(Exception):
    """A run did not converge as the problem calls for; says how."""


def raise_unless_empty(reasons: tuple[str, ...]) -> None:
    """Raise NotIdenticalError where there is a reason to, with the first; ``targetrl verify`` tells them all."""
    if reasons:
        raise NotIdenticalError(reasons[0] + (f" (and {len(reasons) - 1} more reasons)" if len(reasons) > 1 else ""))


@contextmanager
def unchanged() -> Iterator[None]:
    """Raise NotIdenticalError where what is done within it leaves changed what later rows depend on, which is put back however it ends."""
    before = Surroundings.look()
    try:
        yield
    except BaseException:
        before.put_back()
        raise
    raise_unless_empty(before.put_back())
