"""The CPU launcher: ``cpu.cpp``, built for this processor at its first use."""

import ctypes
from functools import cache

import torch

from targetrl_core.fused.compiler import library
from targetrl_core.fused.kernel import SEEDS, Kernel, KernelTask

LAYOUT, NOISE_LAYOUT = ("3", "3"), ("6", "1")
"""How many vectors work side by side, and how many such groups take turns; see ``cpu.cpp``. The fastest of those that were tried on an
AVX-512 processor (1 to 10 by 1 to 4), in both arithmetics: where noise is drawn, most of the work has no chain to wait for."""

POLICY_STEPS_PER_THREAD = 1 << 16
"""A thread more has to save more than the time it takes to wake: some 20 µs of work."""

SAMPLE = 4
"""A sample of noise takes about as long as so many updates."""

CONSTANTS = 13
"""Pointers to constants."""


class _TaskStruct(ctypes.Structure):
    _fields_ = (
        ("n", ctypes.c_int64),
        ("steps", ctypes.c_int64),
        ("state", ctypes.c_void_p * SEEDS),
        ("seeds", ctypes.c_void_p),
        ("constant", ctypes.c_void_p * CONSTANTS),
        ("correction", ctypes.c_void_p),
        ("logits", ctypes.c_void_p),
        ("outputs", ctypes.c_void_p),
        ("first", ctypes.c_void_p),
        ("last", ctypes.c_void_p),
        ("seed", ctypes.c_uint32),
        ("seeded", ctypes.c_int32),
        ("samples", ctypes.c_int32),
        ("first_step", ctypes.c_uint32),
        ("key_low", ctypes.c_uint32),
        ("key_high", ctypes.c_uint32),
    )


def launch(kernel: Kernel, task: KernelTask) -> None:
    """Train the policies of a task, on as many threads as torch uses."""
    addresses = task.addresses()
    work = task.n * task.steps * (1 + SAMPLE * task.draw.samples)
    threads = max(1, min(torch.get_num_threads(), work // POLICY_STEPS_PER_THREAD))
    state, seeds, rest = addresses[:SEEDS], addresses[SEEDS], addresses[SEEDS + 1 :]
    start = (task.seed or 0, task.seed is not None)
    handed = _TaskStruct(task.n, task.steps, state, seeds, rest[:CONSTANTS], *rest[CONSTANTS:], *start, *task.draw)
    built(kernel).train(ctypes.byref(handed), ctypes.c_int(threads))


@cache
def built(kernel: Kernel, layout: tuple[str, str] | None = None, flags: tuple[str, ...] | None = None) -> ctypes.CDLL:
    """The library of a kernel, built and loaded; by default in the layout that is fastest."""
    vectors, groups = layout or (NOISE_LAYOUT if kernel.reinforce else LAYOUT)
    return library("cpu.cpp", {**kernel.macros(), "VECTORS": vectors, "GROUPS": groups}, flags)
