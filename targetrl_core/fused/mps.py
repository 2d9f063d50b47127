"""The Metal launcher: ``mps.metal``, compiled by ``torch.mps.compile_shader`` at its first use."""

from functools import cache
from typing import Any

import torch
from torch import Tensor

from targetrl_core.errors import UsageError, complaint
from targetrl_core.fused.kernel import NOTHING, SEEDS, Kernel, KernelTask, gpu_source

CORRECTED, RECORDED, FIRST, SEEDED = 1 << 9, 1 << 10, 1 << 11, 1 << 12


def launch(kernel: Kernel, task: KernelTask) -> None:
    """Put a task on the device; it may still be running when this returns."""
    built(kernel).train(*buffers(task), threads=task.n)


def buffers(task: KernelTask) -> list[Tensor]:
    """What the kernel takes: numbers, state, constants and what else there is, a buffer also for what is not given."""
    task.addresses()  # checks what the kernel is about to be handed
    tensors = task.tensors()
    given = sum(1 << bit for bit, tensor in enumerate(task.state[:SEEDS]) if tensor is not None)
    given |= CORRECTED * (task.correction is not NOTHING) | RECORDED * (task.history is not None)
    given |= FIRST * (task.first is not None) | SEEDED * (task.seed is not None)
    numbers = torch.tensor([task.n, task.steps, given, task.seed or 0, *task.draw], dtype=torch.int64, device=task.state.weight.device)
    constants = task.constants.tensors
    buffers = (*task.state, torch.stack(constants), *tensors[len(task.state) + len(constants) :])  # type: ignore[arg-type] # none is None
    return [numbers, *(task.state.weight if tensor is None else tensor for tensor in buffers)]


@cache
def built(kernel: Kernel) -> Any:  # noqa: ANN401 — a library of torch's own type
    """The compiled library of a kernel. Raises UsageError where Metal cannot build it."""
    try:
        return torch.mps.compile_shader(gpu_source("mps.metal", kernel))
    except (RuntimeError, SyntaxError) as error:
        raise UsageError(f"Metal could not build the kernel: {complaint(str(error))}") from error
