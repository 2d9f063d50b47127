"""How every compiled variant calls ``torch.compile``, and what it holds while it runs."""

import subprocess
import threading
from collections.abc import Callable
from functools import wraps
from types import FunctionType
from typing import Any, ParamSpec, TypeVar

import torch

from targetrl_core import inductor
from targetrl_core.errors import UsageError, complaint

P = ParamSpec("P")
R = TypeVar("R")

_LOCK = threading.RLock()


def one_at_a_time(function: Callable[P, R]) -> Callable[P, R]:
    """``function``, which at most one thread of the process is in, of all that are so decorated.

    Dynamo compiles for one thread at a time, a captured graph has one memory, and a module that is compiled in cannot be another for
    each call.
    """

    @wraps(function)
    def alone(*args: P.args, **kwargs: P.kwargs) -> R:
        with _LOCK:
            return function(*args, **kwargs)

    return alone


def compiled(function: Callable[P, R], *, exact: bool = False, fullgraph: bool = True) -> Callable[P, R]:
    """``function`` as one static graph of its own.

    Dynamo keeps graphs by code object, gives up after eight of them, and looks through all at each call. Closures of one
    function share its code, so each gets a copy.

    Args:
        function: a plain function of tensors.
        exact: keep GPU code to IEEE 754 as well: no contraction to fused multiply-add, division rounded correctly.
            Inductor's C++ for the CPU is built with -ffp-contract=off as it is.
        fullgraph: raise where Dynamo would break the graph.

    The function that is returned raises UsageError where it cannot be built, at whichever call that is.
    """
    if not isinstance(function, FunctionType):
        raise TypeError(f"{function!r} is not a plain function")
    alone = FunctionType(function.__code__.replace(), function.__globals__, function.__name__, function.__defaults__, function.__closure__)
    graph: Callable[P, R] = torch.compile(alone, fullgraph=fullgraph, dynamic=False, options=_exact_options() if exact else None)

    @wraps(function)
    def call(*arguments: P.args, **keywords: P.kwargs) -> R:
        try:
            return graph(*arguments, **keywords)
        except Exception as error:
            cause = _why_not_built(error)
            if cause is None:
                raise
            raise UsageError(f"torch.compile could not build {function.__name__}: {cause}") from error

    return call


def _why_not_built(error: Exception) -> str | None:
    """The cause and the way out, where building failed; None for what a function raises when it runs."""
    from torch._dynamo.exc import BackendCompilerFailed  # there by now: the call imported it, or failed to make its folder

    if not isinstance(error, (BackendCompilerFailed, OSError, ImportError, subprocess.SubprocessError)):
        return None
    fault = inductor.why_no_folder()
    if fault is not None:
        return fault
    if isinstance(error, OSError):
        cause = f"{error.filename}: {error.strerror}" if error.filename else error.strerror or str(error)
    else:
        text = str(error).partition("Set TORCHDYNAMO_VERBOSE")[0]
        output = text.partition("\nOutput:\n")[2]  # of the compiler, after its command
        cause = complaint(output or text)
    return f"{cause}; its folder is {inductor.folder()}: {inductor.WAY_OUT}"


def compile_seconds() -> float:
    """Wall seconds that Dynamo has spent on compiling so far in this process, backends included."""
    from torch._dynamo.utils import calculate_time_spent  # imports half of torch.compile, which may not be needed

    return float(calculate_time_spent()["total_wall_time"])


def _exact_options() -> dict[str, Any]:
    wanted = {"emulate_precision_casts": True, "eager_numerics.division_rounding": True}
    known = set(torch._inductor.list_options())  # noqa: SLF001 — public in torch's documentation
    return {name: value for name, value in wanted.items() if name in known}
