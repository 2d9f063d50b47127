"""Colour: on a terminal, for those who do not decline it (https://no-color.org)."""

import os
from typing import TextIO

RED, PLAIN = "\x1b[31m", "\x1b[0m"


def red(text: str, stream: TextIO) -> str:
    """``text`` in red, where ``stream`` shows colours."""
    return f"{RED}{text}{PLAIN}" if shows_colours(stream) else text


def shows_colours(stream: TextIO) -> bool:
    """Whether a stream is a terminal that has colours, and NO_COLOR does not decline them."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
