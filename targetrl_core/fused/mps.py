"""The Metal launcher: ``mps.metal``, compiled by ``torch.mps.compile_shader`` at its first use."""

from functools import cache
from typing import Any

import torch
from torch import Tensor

from targetrl_core.fused.gpu_source import gpu_source
from targetrl_core.fused.kernel import Kernel, Task

CORRECTED, RECORDED, FIRST, SEEDED = 1 << 8, 1 << 9, 1 << 10, 1 << 11


def launch(kernel: Kernel, task: Task) -> None:
    """Put a task on the device; it may still be running when this returns."""
    *numbers, buffers = arguments(task)
    built(kernel).train(*numbers, *buffers, threads=task.n)


def arguments(task: Task) -> tuple[int, int, int, int, list[Tensor]]:
    """What the kernel takes: n, steps, what is given, the seed, and a buffer for every tensor, also for those that are not given."""
    given = sum(1 << bit for bit, tensor in enumerate(task.state) if tensor is not None)
    given |= CORRECTED * (task.correction is not None) | RECORDED * (task.history is not None)
    given |= FIRST * (task.first is not None) | SEEDED * (task.seed is not None)
    any_buffer = task.state.weight
    return task.n, task.steps, given, task.seed or 0, [any_buffer if tensor is None else tensor for tensor in task.tensors()]


@cache
def built(kernel: Kernel) -> Any:  # noqa: ANN401 — a library of torch's own type
    """The compiled library of a kernel."""
    return torch.mps.compile_shader(gpu_source("mps.metal", kernel))
