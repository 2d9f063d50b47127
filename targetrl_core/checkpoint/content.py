"""What a checkpoint file holds: two lines of JSON, a head with the digest of the body, and the body. Nothing in it is ever executed.

A file is believed when its digest and its counts fit. Numbers alone are read from it, of a size that is known beforehand.
"""

import os
import stat
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec
import torch
from msgspec import Meta, Struct

from targetrl_core.errors import UsageError, one_line
from targetrl_core.listing.outcomes import Outcomes
from targetrl_core.streaming import BINS, Fact, Plan, Summary, require_equal

VERSION = 1
"""Of the files; raised when a field changes."""

BYTES, BYTES_PER_COUNT = 1 << 16, 21
"""Most bytes of a file beside its first steps, and of one count: 20 digits and a comma."""

LONGEST = 200
"""Characters that are quoted of what is wrong with a file."""

Quoted = Annotated[str, Meta(max_length=LONGEST)]
Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Decoded = TypeVar("Decoded")


class DamagedError(UsageError):
    """A file that is not as it was written: there may be an older one that is."""


class HeadLine(Struct, frozen=True, forbid_unknown_fields=True):
    """The first line."""

    targetrl: Literal["checkpoint"]
    version: int
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class BodyLine(Struct, frozen=True, forbid_unknown_fields=True):
    """The second line: whose it is, and what became of the first ``trained`` policies from ``start`` on.

    ``facts`` are those of the plan. The counts are those of a ``Summary``, the checksum in hexadecimal.
    """

    facts: dict[Quoted, int | float | Quoted]
    start: Count
    stop: Count
    trained: Count
    outcomes: Annotated[list[Count], Meta(min_length=len(Outcomes._fields), max_length=len(Outcomes._fields))]
    histogram: Annotated[list[Count], Meta(min_length=BINS, max_length=BINS)]
    first_steps: list[Count]
    checksum: Annotated[str, Meta(pattern="^[0-9a-f]{16}$")]


def encode(plan: Plan, span: range, summary: Summary) -> bytes:
    """The file that says what became of the first policies of a span."""
    body = msgspec.json.encode(
        BodyLine(
            facts=plan.facts(),
            start=span.start,
            stop=span.stop,
            trained=summary.policies,
            outcomes=list(summary.outcomes),
            histogram=summary.histogram.tolist(),
            first_steps=summary.first_steps.tolist(),
            checksum=f"{summary.checksum:016x}",
        )
    )
    head = HeadLine("checkpoint", VERSION, sha256(body).hexdigest())
    return msgspec.json.encode(head) + b"\n" + body + b"\n"


def read(path: Path, plan: Plan, span: range) -> Summary | None:
    """What a file says of the first policies of a span; None where there is no such file.

    Raises:
        DamagedError: it is not whole, or has been changed.
        UsageError: it cannot be read, is of another version, or of another run, naming the key and both values.
    """
    content = _content(path, BYTES + BYTES_PER_COUNT * (plan.problem.steps + 1))
    if content is None:
        return None
    first, _, rest = content.partition(b"\n")
    head = _decoded(path, first, HeadLine)
    if head.version != VERSION:
        raise UsageError(f"{path}: version is {head.version}; this targetrl reads checkpoints of version {VERSION}")
    if not rest.endswith(b"\n") or sha256(rest[:-1]).hexdigest() != head.sha256:
        raise DamagedError(f"{path}: its content is not what its sha256 says; it is damaged")
    body = _decoded(path, rest, BodyLine)
    require_equal(f"{path}: ", body.facts | {"first policy": body.start, "end": body.stop}, facts_of(plan, span))
    return _summary(path, plan, body)


def facts_of(plan: Plan, span: range) -> dict[str, Fact]:
    """What a checkpoint has to be of."""
    return plan.facts() | {"first policy": span.start, "end": span.stop}


def _content(path: Path, most: int) -> bytes | None:
    try:
        # A link is not followed, and a pipe that nobody writes to is not waited for.
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(path, flags), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise UsageError(f"{path}: it is no regular file")
            content = file.read(most + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(f"{path}: {'it is a link' if path.is_symlink() else error.strerror}") from error
    if len(content) > most:
        raise DamagedError(f"{path}: it is larger than {most:,} bytes, which no checkpoint of this run is")
    return content


def _decoded(path: Path, line: bytes, kind: type[Decoded]) -> Decoded:
    try:
        return msgspec.json.decode(line, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DamagedError(f"{path}: {one_line(error)[:LONGEST]}; it is damaged or no checkpoint") from error


def _summary(path: Path, plan: Plan, body: BodyLine) -> Summary:
    counts: dict[str, Any] = {
        name: torch.tensor(getattr(body, name), dtype=torch.int64, device="cpu") for name in ("histogram", "first_steps")
    }
    sums = {name: sum(getattr(body, name)) for name in ("outcomes", "histogram", "first_steps")}
    # An output that is NaN is in no bin of the histogram.
    wrong = [name for name, value in sums.items() if value > body.trained or (value < body.trained and name != "histogram")]
    if wrong or body.trained > body.stop - body.start or len(body.first_steps) != plan.problem.steps + 1:
        raise DamagedError(f"{path}: its {(wrong or ['counts'])[0]} are not of {body.trained} policies; it is damaged")
    blank = plan.nothing()
    return Summary(
        blank.problem, blank.variant, blank.device, body.trained, Outcomes(*body.outcomes), checksum=int(body.checksum, 16), **counts
    )
