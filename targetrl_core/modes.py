"""PyTorch's modes as a new process has them: what a run depends on beside its arguments.

A caller may have set any of them, for a thread or for the whole process. They are set while something runs, and put back after it.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import torch

from targetrl_core.names import DEVICES


class Setting(NamedTuple):
    """Something that holds for a whole process or thread: its name, how it is read and written, and what a new process has."""

    name: str
    read: Callable[[], Any]
    write: Callable[[Any], object]
    new: Any = None


def _read_products() -> tuple[str | None, ...]:
    """In which precision float32 matrices are multiplied: by PyTorch's older setting, and by that of each library."""
    try:
        older: str | None = torch.get_float32_matmul_precision()
    except RuntimeError:  # the newer settings have been used, and disagree
        older = None
    libraries = (torch.backends.mkldnn.matmul, torch.backends.cuda.matmul)  # type: ignore[attr-defined] # mkldnn's is made at import
    return older, *("ieee" if library.fp32_precision == "none" else library.fp32_precision for library in libraries)


def _write_products(value: tuple[str | None, ...]) -> None:
    older, mkldnn, cuda = value
    torch.set_float32_matmul_precision(older or "highest")
    torch.backends.mkldnn.matmul.fp32_precision = mkldnn  # type: ignore[attr-defined]
    torch.backends.cuda.matmul.fp32_precision = cuda


def _write_anomaly(value: tuple[bool, bool]) -> None:
    torch.autograd.set_detect_anomaly(*value)  # a context manager that takes effect when it is made


PROCESS_MODES: tuple[Setting, ...] = (
    Setting("the default dtype", torch.get_default_dtype, torch.set_default_dtype, torch.float32),
    Setting("the precision of products", _read_products, _write_products, ("highest", "ieee", "ieee")),
    Setting(
        "deterministic mode",
        lambda: (torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()),
        lambda value: torch.use_deterministic_algorithms(value[0], warn_only=value[1]),
        (False, False),
    ),
    Setting(
        "anomaly mode",
        lambda: (torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()),
        _write_anomaly,
        (False, True),
    ),
)


def flushes_subnormals() -> bool:
    """Whether this thread takes numbers that are too small to be normal for zero."""
    return bool(torch.full((), 1e-40, dtype=torch.float32, device="cpu").mul(0.5) == 0.0)


class _Shared:
    """The modes of the process, for all runs at a time: the first run sets them, and the last puts them back."""

    def __init__(self) -> None:
        self.lock, self.runs = threading.Lock(), 0
        self.replaced: list[tuple[Setting, Any]] = []

    def enter(self) -> None:
        with self.lock:
            if self.runs == 0:
                values = [(mode, mode.read()) for mode in PROCESS_MODES]
                self.replaced = [(mode, value) for mode, value in values if value != mode.new]
                for mode, _ in self.replaced:
                    mode.write(mode.new)
            self.runs += 1

    def leave(self) -> None:
        with self.lock:
            self.runs -= 1
            if self.runs == 0:
                for mode, value in self.replaced:
                    mode.write(value)


_SHARED = _Shared()


@contextmanager
def new_modes() -> Iterator[None]:
    """Within it gradients are on, inference mode and autocast off, and dtype, device and precision the default ones.

    Also usable as a decorator. The modes of the whole process are set for its other threads too, as long as something runs within it.
    """
    with ExitStack() as stack:
        _SHARED.enter()
        stack.callback(_SHARED.leave)
        if torch.is_inference_mode_enabled():
            stack.enter_context(torch.inference_mode(mode=False))
        if not torch.is_grad_enabled():
            stack.enter_context(torch.enable_grad())
        for device in DEVICES:
            if torch.is_autocast_enabled(device):
                stack.enter_context(torch.autocast(device, enabled=False))
        if flushes_subnormals():
            torch.set_flush_denormal(False)
            stack.callback(lambda: torch.set_flush_denormal(True))
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        yield
