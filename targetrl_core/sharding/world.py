"""Which rank this process is, of how many, as its launcher says: torchrun, or whoever sets the same variables. Imports no torch."""

import os
from typing import NamedTuple

from targetrl_core.errors import UsageError

LONGEST = 10
"""Digits of a number that is read."""


class World(NamedTuple):
    """The processes that train one population together.

    Attributes:
        rank: this process, from 0 on.
        size: how many there are.
        local_rank: this process, among those of its host.
        local_size: how many are on its host.
        host: where the ranks meet.
        port: likewise.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1
    host: str = ""
    port: int = 0

    @property
    def name(self) -> str:
        """This rank, as messages call it."""
        return f"rank {self.rank} of {self.size}"


def this_world() -> World:
    """The world of this process; one of its own where no launcher has set WORLD_SIZE.

    Raises:
        UsageError: a variable is missing, or no number that it can be, naming it.
    """
    size = _variable("WORLD_SIZE", 1, 1)
    if size == 1:
        return World()
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # read when torch is imported: of a lost rank there is one line, and it is ours
    rank = _variable("RANK", None, 0, size)
    host = os.environ.get("MASTER_ADDR", "")
    if not host:
        raise UsageError("MASTER_ADDR is missing; it must be the host where the ranks meet, as torchrun sets it")
    return World(
        rank=rank,
        size=size,
        local_rank=_variable("LOCAL_RANK", rank, 0, size),
        local_size=_variable("LOCAL_WORLD_SIZE", size, 1, size + 1),
        host=host,
        port=_variable("MASTER_PORT", None, 1, 2**16),
    )


def _variable(name: str, default: int | None, least: int, end: int = 2**31) -> int:
    text = os.environ.get(name)
    if text is None and default is not None:
        return default
    if text is None or not (text.isascii() and text.isdecimal() and len(text) <= LONGEST) or int(text) not in range(least, end):
        shown = "missing" if text is None else repr(text)
        raise UsageError(f"{name} is {shown}; it must be a whole number from {least} to {end - 1}, as torchrun sets it")
    return int(text)
