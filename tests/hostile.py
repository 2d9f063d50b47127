"""Files as an enemy would write them, and what a text that is made of such a file must not hold, by where it is shown."""

import csv
import io
import json
import random
import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, Literal, NoReturn

from tests.some_evidence import EVIDENCE

TEXTS = (
    "\x1b[31mred\x1b[0m", "\x9b2J", "\x00", "a\r\nb", "\u202eevil", "\u2066x\u2069", "\ufeff", "\u2028", "\u200b", "é" * 100, "x" * 5000,
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "&lt;b&gt;", "--><b>", "a|b", "\\|", "\\", "`", "``` x", "`<b>`",
    "[x](javascript:alert(1))", "![x](http://evil)", "https://evil.example", "www.evil.example", "# x", "\n# x", "=cmd|'/c calc'!A0",
    "+1", "-1", "@x", "\t=1", " =1", "＝1", "../../etc/passwd", "/etc/passwd", "", " ", "NaN", "cpu", "{0}", "%s", "$(id)",
)  # fmt: skip
NUMBERS = (0, -1, 1, 2**63, 10**30, 10**400, 1e-320, 1e-12, 1e7, 1e308, -1e308, 0.5, -0.0, float("nan"), float("inf"), float("-inf"))
OTHERS: tuple[Any, ...] = (None, True, False, [], {}, [[]], {"": 1}, {"a\x1b[31m<b>": "x"}, [None], ["<b>\x1b"], [1e-12, 1e7])
VALUES: tuple[Any, ...] = (*TEXTS, *NUMBERS, *OTHERS)

Place = tuple[Any, ...]
"""The keys and indices that lead to a value."""

MOST = 3
"""Most changes of one file: after many it would be refused for the first, and the others never looked at."""


@cache
def known(suffix: str = "") -> Any:  # noqa: ANN401 — any JSON value
    """What a run left once; not to be changed."""
    return json.loads((EVIDENCE / f"amd-epyc-2c-cpu{suffix}.json").read_text(encoding="utf-8"))


def real_evidence(every: int = 5) -> dict[str, Any]:
    """A real evidence file, shortened: every question, few rounds, some rows without a number."""
    content: dict[str, Any] = json.loads(json.dumps(known()))
    last = {row["extra_info"]["question"]: row for row in content["benchmarks"]}
    few = content["benchmarks"][::every]
    content["benchmarks"] = [*few, *(row for row in last.values() if row not in few)]
    for row in content["benchmarks"]:
        row["stats"]["data"] = row["stats"]["data"][:3]
    content["targetrl"]["absent"] = content["targetrl"]["absent"][::9]
    content["machine_info"]["cpu"].pop("flags")
    return content


def places(value: Any, path: Place = ()) -> Iterator[Place]:  # noqa: ANN401 — any JSON value
    """The place of every value in a JSON value, itself left out."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in items:
        yield (*path, key)
        yield from places(below, (*path, key))


def replaced(content: Any, path: Place, value: Any) -> bytes:  # noqa: ANN401 — any JSON values
    """A file with another value at one place."""
    copied = json.loads(json.dumps(content))
    parent = copied
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = value
    return json.dumps(copied, ensure_ascii=False).encode("utf-8", "surrogatepass")


def spoiled(content: Any, at: list[Place], dice: random.Random) -> bytes:  # noqa: ANN401 — any JSON value
    """A file that was good, with one to three things wrong with it; ``at`` are the places that may be changed."""
    copied = json.loads(json.dumps(content))
    for _ in range(dice.randint(1, MOST)):
        place, parent = dice.choice(at), copied
        try:
            for key in place[:-1]:
                parent = parent[key]
            dice.choice(VALUE_CHANGES)(parent, place[-1], dice)
        except (IndexError, KeyError, OverflowError, TypeError, ValueError):
            continue  # an earlier change took it away, or made a number of it that has no end
    text = json.dumps(copied, ensure_ascii=dice.random() < 0.5)
    text = dice.choice(TEXT_CHANGES)(text, dice) if dice.random() < 0.2 else text  # else hardly one would be read
    encoded = text.encode("utf-8", "surrogatepass")
    return dice.choice(BYTE_CHANGES)(encoded, dice) if dice.random() < 0.1 else encoded


def _replace(parent: Any, key: Any, dice: random.Random) -> None:  # noqa: ANN401 — any JSON value
    parent[key] = dice.choice((*VALUES, dice.getrandbits(80), dice.uniform(-1e9, 1e9)))


def _reword(parent: Any, key: Any, dice: random.Random) -> None:  # noqa: ANN401 — any JSON value
    """A text with another in its midst; anything else becomes a text."""
    was = parent[key] if isinstance(parent[key], str) else ""
    cut = dice.randint(0, len(was))
    parent[key] = was[:cut] + dice.choice(TEXTS) + was[cut:]


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
        parent[dice.choice(TEXTS)] = parent[key]


def _swap(parent: Any, key: Any, dice: random.Random) -> None:  # noqa: ANN401 — any JSON value
    """What stands here and what stands beside it."""
    other = dice.choice(list(parent) if isinstance(parent, dict) else range(len(parent)))
    parent[key], parent[other] = parent[other], parent[key]


def _wrap(parent: Any, key: Any, dice: random.Random) -> None:  # noqa: ANN401 — any JSON value
    for _ in range(dice.choice((1, 2, 100))):
        parent[key] = [parent[key]] if dice.random() < 0.5 else {"x": parent[key]}


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
    return text + more if dice.random() < 0.5 else more + text


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

Form = Literal["markdown", "terminal", "csv", "json"]

LINKS = {"results.csv", "results/README.md", "bounds.json"}
"""What the pages themselves link to."""

LONGEST = 1000
"""Characters of a message."""


def why_unsafe(form: Form, text: str) -> str | None:
    """What of a text would take effect where it is shown, or break it; None where nothing would."""
    odd = next((line for line in text.split("\n") if not line.isprintable()), None)
    return f"a line that is not printable: {odd!a:.200}" if odd is not None else CHECKS[form](text)


def why_no_message(message: str, name: str) -> str | None:
    """Why a message is not one plain line that names the file; None where it is."""
    if not message.isprintable() or len(message) > LONGEST:
        return f"a message that is no short line: {message!a:.200}"
    return None if name in message else f"a message that does not name the file: {message}"


def _json(text: str) -> str | None:
    try:
        json.loads(text, parse_constant=_refuse)
    except ValueError as error:
        return f"JSON that others cannot read: {error}"
    return None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"it holds {constant}")


def _csv(text: str) -> str | None:
    """Whole, and without formulas."""
    lines = list(csv.reader(io.StringIO(text)))
    if len({len(line) for line in lines}) != 1:
        return "CSV whose lines differ in length"
    formulas = [cell for line in lines for cell in line if cell.lstrip()[:1] in ("=", "+", "-", "@", "＝") and cell.strip()]
    return f"a formula in CSV: {formulas[0]!a}" if formulas else None


def _markdown(text: str) -> str | None:
    """What is left without escaped characters and code spans has no tag, no entity, no foreign link and no backtick.

    All lines of a table have as many cells: there a bar counts in a code span too, unless it is escaped.
    """
    bare = re.sub(r"\\.|(?<!`)`[^`\n]+`(?!`)", "", text)
    markup = re.search(r"<[A-Za-z/!?]|&[#\w]+;|://|www\.|!\[", bare)
    if markup:
        return f"markup: {bare[max(0, markup.start() - 20) : markup.end() + 20]!a}"
    links = set(re.findall(r"\]\(([^)]*)\)", bare)) - LINKS
    if links:
        return f"a foreign link: {links}"
    if "`" in re.sub(r"^```.*$", "", bare, flags=re.MULTILINE):
        return "a code span without an end"
    tables = re.findall(r"(?:^\|.*\n)+", re.sub(r"\\.", "", text), re.MULTILINE)
    if any(len({line.count("|") for line in table.splitlines()}) != 1 for table in tables):
        return "a table whose lines differ in length"
    return None


CHECKS: dict[Form, Callable[[str], str | None]] = {"markdown": _markdown, "terminal": lambda _: None, "csv": _csv, "json": _json}
