"""The rows of the steady state: what they train, the names that the suite gives them, and how versions are compared by some of them."""

from typing import Any, NamedTuple

from targetrl_core.errors import UsageError
from targetrl_core.listing.defaults import OBJECTIVES, Objective
from targetrl_core.names import ARITHMETICS, Arithmetic

SIZES = (1, 100, 10_000, 1_000_000)
GPU_SIZE = 100_000_000
"""So many policies are worth their time on GPUs alone."""

FEW, SEVERAL, MANY = SIZES[1:]


def _differs(objective: Objective, arithmetic: Arithmetic, n: int) -> bool:
    """Whether a row can differ from others.

    The objective changes a few multiplications, and the arithmetic a few more: where calls are all dispatch, that says nothing new.
    The noise of `reinforce` is most of the work at any size.
    """
    if objective == "detached":
        return arithmetic == "native" or n != FEW
    return arithmetic == "native" and (n == SEVERAL if objective == "reinforce" else n >= MANY)


CASES = [
    (objective, arithmetic, n)
    for objective in OBJECTIVES
    for arithmetic in ARITHMETICS
    for n in (*SIZES, GPU_SIZE)
    if _differs(objective, arithmetic, n)
]

DEFAULT = (
    "detached-native-10000-batched",
    "detached-native-10000-fused",
    "detached-native-1000000-batched-compiled",
    "detached-native-1000000-fused",
)
"""What is compared where nothing is selected: a row that calls operators, one of short calls, and two that are beyond the cache."""


class SuiteRow(NamedTuple):
    """A row of the steady state: what is trained, and by which variant."""

    objective: str
    arithmetic: str
    policies: int
    variant: str
    steps: int = 50

    @property
    def name(self) -> str:
        """What stands in brackets in the suite's own names, the device left out; other numbers of steps than its 50 are added."""
        plain = f"{self.objective}-{self.arithmetic}-{self.policies}-{self.variant}"
        return plain if self.steps == 50 else f"{plain}-{self.steps}-steps"  # noqa: PLR2004 — the suite's own


def all_rows(device: str) -> list[SuiteRow]:
    """The rows of the steady state that this version runs on a device, in its order."""
    from targetrl_core import VARIANTS, Problem
    from targetrl_core.devices import find_device

    place = find_device(device)
    return [
        SuiteRow(objective, arithmetic, n, variant.name)
        for objective, arithmetic, n in CASES
        if n != GPU_SIZE or place.type != "cpu"
        for variant in VARIANTS
        if variant.unsupported(Problem(objective=objective, arithmetic=arithmetic), place, n) is None
    ]


def select(expression: str | None, device: str = "cpu") -> list[SuiteRow]:
    """The rows whose names an expression fits, as pytest's ``-k`` reads it: words, ``and``, ``or``, ``not`` and parentheses.

    Raises:
        UsageError: the expression cannot be read, or fits no row; the device is not here.
    """
    rows = all_rows(device)
    if expression is None:
        return [row for row in rows if row.name in DEFAULT]
    chosen = [row for row in rows if _fits(expression, row.name)]
    if not chosen:
        raise UsageError(f"--select is {expression!r}; it fits none of the rows, such as {rows[0].name}")
    return chosen


def _fits(expression: str, name: str) -> bool:
    from _pytest.mark.expression import Expression  # the very reader of -k; pytest gives it no public name

    def matches(word: str, /, **_: Any) -> bool:  # noqa: ANN401 — pytest's own
        return word.lower() in name

    try:
        return Expression.compile(expression).evaluate(matches)
    except SyntaxError as error:
        raise UsageError(f"--select is {expression!r}; it must be an expression as pytest's -k takes: {error.msg}") from error
