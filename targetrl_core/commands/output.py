"""How results are printed; and what both programs do about an encoding that lacks characters, a reader that has gone, a full disk."""

import argparse
import errno
import io
import json
import math
import os
import sys
from collections.abc import Callable, Iterable
from typing import Any, TextIO

from targetrl_core.commands import FINE, WRONG_USAGE

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

RED, PLAIN = "\x1b[31m", "\x1b[0m"
"""Colour: on a terminal, for those who do not decline it (https://no-color.org)."""


def printing(program: str, run: Callable[[], int]) -> int:
    """Run what prints, and write all of it out; returns its exit code. A full disk is one line, with exit code 2.

    A reader that has seen enough, as ``| head`` has, ends it quietly.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    code = FINE
    try:
        try:
            code = run()
        finally:
            _flush(sys.stdout)
    except BrokenPipeError:
        _drop_unwritable()
        return code
    except OSError as error:
        if not is_of_output(error):
            raise
        _drop_unwritable()
        print(f"{program}: output could not be written: {error.strerror}", file=sys.stderr)
        return WRONG_USAGE
    return code


def is_of_output(error: OSError) -> bool:
    """Whether an error is of what is printed rather than of a file, which would be named."""
    return error.filename is None and (error.errno in (*FULL, errno.EPIPE) or _is_unwritable(sys.stdout))


def _is_unwritable(stream: TextIO) -> bool:
    """Whether what was printed so far stays in the stream's buffer, as it cannot be written."""
    try:
        _flush(stream)
    except OSError:
        return True
    return False


def _flush(stream: TextIO) -> None:
    if stream:  # None where the process was started without it
        stream.flush()


def _drop_unwritable() -> None:
    """Send what cannot be written nowhere: Python would try again as it ends, and complain."""
    for stream in (sys.stdout, sys.stderr):
        if _is_unwritable(stream):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


def red(text: str, stream: TextIO) -> str:
    """``text`` in red, where ``stream`` shows colours."""
    return f"{RED}{text}{PLAIN}" if shows_colours(stream) else text


def shows_colours(stream: TextIO) -> bool:
    """Whether a stream is a terminal that has colours, and NO_COLOR does not decline them."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def say(options: argparse.Namespace, lines: Iterable[str], document: Callable[[], dict[str, Any]]) -> None:
    """Print a result: its lines or, where ``--json`` asks for it, the document."""
    for line in [json_text(document())] if options.json else lines:
        print(line, flush=True)


def json_text(document: dict[str, Any]) -> str:
    """A document as JSON; a number that is none, such as NaN, is null."""
    return json.dumps(_finite(document), indent=1, ensure_ascii=False, allow_nan=False)


def _finite(document: Any) -> Any:  # noqa: ANN401 — any part of a document
    if isinstance(document, dict):
        return {str(name): _finite(value) for name, value in document.items()}
    if isinstance(document, Iterable) and not isinstance(document, str):
        return [_finite(value) for value in document]
    return None if isinstance(document, float) and not math.isfinite(document) else document
