"""The one exception that the package raises for a mistake of its user."""

from collections.abc import Iterable


class UsageError(ValueError):
    """A value that cannot be used: names the culprit and what is allowed, in one line, whatever the value holds."""

    def __str__(self) -> str:
        return one_line(super().__str__())


def one_line(text: object) -> str:
    """Text in one line that moves no cursor and turns no direction: whatever is no printable character is a space."""
    return "".join(character if character.isprintable() else " " for character in str(text))


def kind_and_message(error: BaseException) -> str:
    """What any error says, in one line that is not too long: another package may raise anything."""
    return one_line(f"{type(error).__name__}: {' '.join(str(error).split())}")[:500]


def one_of(names: Iterable[str]) -> str:
    """Allowed names, as every message spells them."""
    return ", ".join(names)
