"""A JSON file, spoiled at random: its values, its structure, its text and its bytes."""

import json
import random
from collections.abc import Callable, Iterator
from typing import Any

from bench.hostile import values

Place = tuple[Any, ...]
"""The keys and indices that lead to a value."""

MOST = 3
"""Most changes of one file: after many it would be refused for the first, and the others never looked at."""


def places(value: Any, path: Place = ()) -> Iterator[Place]:  # noqa: ANN401 — any JSON value
    """The place of every value in a JSON value, itself left out."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in items:
        yield (*path, key)
        yield from places(below, (*path, key))


def spoiled(known: bytes, at: list[Place], dice: random.Random) -> bytes:
    """A file that was good, with one to three things wrong with it; ``at`` are the places that may be changed."""
    content = json.loads(known)
    for _ in range(dice.randint(1, MOST)):
        _change(content, dice.choice(at), dice)
    text = json.dumps(content, ensure_ascii=dice.random() < 0.5)  # noqa: PLR2004 — half of them
    text = dice.choice(TEXT_CHANGES)(text, dice) if dice.random() < 0.2 else text  # noqa: PLR2004 — else hardly one would be read
    encoded = text.encode("utf-8", "surrogatepass")
    return dice.choice(BYTE_CHANGES)(encoded, dice) if dice.random() < 0.1 else encoded  # noqa: PLR2004 — likewise


def _change(content: Any, place: Place, dice: random.Random) -> None:  # noqa: ANN401 — any JSON value
    """Do something to the value at a place, unless an earlier change took it away or made a number of it that has no end."""
    parent = content
    try:
        for key in place[:-1]:
            parent = parent[key]
        dice.choice(VALUE_CHANGES)(parent, place[-1], dice)
    except (IndexError, KeyError, OverflowError, TypeError, ValueError):
        return


def _replace(parent: Any, key: Any, dice: random.Random) -> None:  # noqa: ANN401 — any JSON value
    parent[key] = dice.choice(values.ALL)


def _reword(parent: Any, key: Any, dice: random.Random) -> None:  # noqa: ANN401 — any JSON value
    """A text with another in its midst; anything else becomes a text."""
    was = parent[key] if isinstance(parent[key], str) else ""
    cut = dice.randint(0, len(was))
    parent[key] = was[:cut] + dice.choice(values.TEXTS) + was[cut:]


def _scale(parent: Any, key: Any, dice: random.Random) -> None:  # noqa: ANN401 — any JSON value
    """A number far from what it was, of the same type; what is none stays."""
    was = parent[key]
    if isinstance(was, int | float):
        parent[key] = type(was)(was * 10.0 ** dice.choice((-300, -30, -3, -1, 1, 3, 30, 300)) * dice.choice((1, -1)))


def _scribble(parent: Any, key: Any, dice: random.Random) -> None:  # noqa: ANN401 — any JSON value
    parent[key] = "".join(chr(dice.choice((dice.randrange(0x300), dice.randrange(0x110000)))) for _ in range(dice.randint(0, 12)))


def _drop(parent: Any, key: Any, _: random.Random) -> None:  # noqa: ANN401 — any JSON value
    del parent[key]


def _repeat(parent: Any, key: Any, dice: random.Random) -> None:  # noqa: ANN401 — any JSON value
    """An element of a list many times, or a field under another name too."""
    if isinstance(parent, list):
        parent.extend([parent[key]] * dice.choice((1, 2, 100)))
    else:
        parent[dice.choice(values.TEXTS)] = parent[key]


def _swap(parent: Any, key: Any, dice: random.Random) -> None:  # noqa: ANN401 — any JSON value
    """What stands here and what stands beside it."""
    other = dice.choice(list(parent) if isinstance(parent, dict) else range(len(parent)))
    parent[key], parent[other] = parent[other], parent[key]


def _wrap(parent: Any, key: Any, dice: random.Random) -> None:  # noqa: ANN401 — any JSON value
    for _ in range(dice.choice((1, 2, 100))):
        parent[key] = [parent[key]] if dice.random() < 0.5 else {"x": parent[key]}  # noqa: PLR2004 — either


def _double_key(text: str, dice: random.Random) -> str:
    """One key twice in an object."""
    pairs = text.split(', "')
    at = dice.randrange(len(pairs))
    return ', "'.join([*pairs[:at], pairs[at], *pairs[at:]])


def _deepen(text: str, dice: random.Random) -> str:
    """Brackets without end, where a value may stand."""
    depth = dice.choice((100, 10_000, 200_000))
    opened, closed = dice.choice((("[", "]"), ('{"x":', "}")))
    return text.replace("{", f'{{"x": {opened * depth}1{closed * dice.choice((depth, 0))}, ', 1)


def _lengthen(text: str, dice: random.Random) -> str:
    """A number of very many digits in place of a short one."""
    digit = dice.choice("0123456789")
    return text.replace(f": {digit}", ": " + dice.choice(("9", "-1", "0.", "1e")) + "9" * dice.choice((20, 400, 5000)), 1)


def _retype(text: str, dice: random.Random) -> str:
    """Words that JSON does not know."""
    good, bad = dice.choice((": 1", ": 0", ": null", ": true")), dice.choice((": NaN", ": Infinity", ": 0x1F", ": 'x'", ":", ": 01"))
    return text.replace(good, bad, 1)


def _go_on(text: str, dice: random.Random) -> str:
    """Something before or behind the value."""
    more = dice.choice(("{}", text, ",", "\x00", "]", "//", "\ufeff", " " * 10_000))
    return text + more if dice.random() < 0.5 else more + text  # noqa: PLR2004 — either


def _cut(encoded: bytes, dice: random.Random) -> bytes:
    return encoded[: dice.randrange(len(encoded) + 1)]


def _flip(encoded: bytes, dice: random.Random) -> bytes:
    """Some bytes changed, most of them no UTF-8 any more."""
    changed = bytearray(encoded)
    for _ in range(dice.randint(1, 4)):
        changed[dice.randrange(len(changed))] = dice.randrange(256)
    return bytes(changed)


def _insert(encoded: bytes, dice: random.Random) -> bytes:
    """Bytes that are no UTF-8: overlong, surrogates, beyond Unicode, cut short."""
    at = dice.randrange(len(encoded))
    return encoded[:at] + dice.choice((b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82", b"\xff\xfe", b"\x00")) + encoded[at:]


def _encode(encoded: bytes, dice: random.Random) -> bytes:
    """Another encoding."""
    return encoded.decode("utf-8", "replace").encode(dice.choice(("utf-16", "utf-32", "utf-8-sig", "latin-1")), "replace")


VALUE_CHANGES: tuple[Callable[[Any, Any, random.Random], None], ...] = (
    _replace, _replace, _reword, _reword, _scale, _scale, _scribble, _drop, _repeat, _swap, _wrap,
)  # fmt: skip
TEXT_CHANGES = (_double_key, _deepen, _lengthen, _retype, _go_on)
BYTE_CHANGES = (_cut, _flip, _insert, _encode)
