"""What the rows of the steady state train: problems and numbers of policies."""

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
