"""What a job and its ranks tell each other, a line of JSON each. Imports no torch."""

from msgspec import Struct


class Task(Struct, frozen=True, kw_only=True):
    """What the ranks train together, each on as many threads."""

    policies: int
    steps: int
    objective: str = "detached"
    arithmetic: str = "native"
    variant: str = "auto"
    device: str = "cpu"
    threads: int = 1


class Answer(Struct, frozen=True, kw_only=True):
    """What a rank says of a round: seconds of its own slice, seconds until the sum was there, and the checksum of all."""

    own_seconds: float
    sum_seconds: float
    own_policies: int
    checksum: int
