"""The one exception that the package raises for a mistake of its user."""

from collections.abc import Iterable


class UsageError(ValueError):
    """A value that cannot be used: names the culprit and what is allowed, in one line."""


def one_of(names: Iterable[str]) -> str:
    """Allowed names, as every message spells them."""
    return ", ".join(names)
