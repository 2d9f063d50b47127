"""A suite of rows that break, each between honest ones, for test_faults.py to run: not collected by itself."""

import ctypes
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from typing import NoReturn

import pytest
import torch

from bench import session
from bench.limit import measure
from bench.timing import guards
from bench.timing.gate import Gate
from targetrl_core import Problem, Variant
from targetrl_core.variants import Train
from targetrl_core.variants.batched import BATCHED
from tests.scripted import CLOCK

guards.GRACE = 1.0
vars(session)["clock_test"] = lambda *_: CLOCK  # so that what else the machine does is no fault of its own


def _hangs(_problem: Problem, _device: torch.device, _n: int) -> Train:
    time.sleep(1000)
    raise AssertionError


def _hangs_outside_python(_problem: Problem, _device: torch.device, _n: int) -> Train:
    """Wait for a lock that the thread itself holds: no signal ends that."""
    process, mutex = ctypes.CDLL(None), ctypes.create_string_buffer(128)
    process.pthread_mutex_lock(mutex)
    process.pthread_mutex_lock(mutex)
    raise AssertionError


def _more_than_there_is(_problem: Problem, _device: torch.device, _n: int) -> Train:
    torch.empty(1 << 60, dtype=torch.int8)
    raise AssertionError


def _raises(error: Exception) -> Callable[[Problem, torch.device, int], NoReturn]:
    def prepare(_problem: Problem, _device: torch.device, _n: int) -> NoReturn:
        raise error

    return prepare


PREPARE = {
    "hangs": _hangs,
    "hangs-outside": _hangs_outside_python,
    "host-memory": _more_than_there_is,
    "device-memory": _raises(torch.OutOfMemoryError("Tried to allocate 74 GiB; see /home/someone/settings.toml\nand more")),
    "compiler": _raises(RuntimeError("\nno such header: '/home/someone/include/Python.h'")),
    "device-gone": _raises(RuntimeError("CUDA error: unspecified launch failure\nCompile with TORCH_USE_CUDA_DSA")),
}


@pytest.fixture
def unlimited(gate: Gate) -> Gate:
    """A gate for rows that do not hang, which may take as long as the machine has them."""
    return replace(gate, limit=nullcontext)


def test_before(unlimited: Gate) -> None:
    """An honest row, 10 policies."""
    unlimited.train("steady state", BATCHED, Problem(), 10)


@pytest.mark.parametrize("name", PREPARE)
def test_faulty(gate: Gate, unlimited: Gate, name: str) -> None:
    """A row that breaks."""
    passed = gate if name.startswith("hangs") else unlimited
    passed.train("steady state", Variant(name, BATCHED.unsupported, PREPARE[name]), Problem(), 10)


def test_clock_jumps(unlimited: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    """An honest row, during which the machine seems to sleep for an hour."""
    looks = iter([0.0, 3600.0])
    monkeypatch.setattr(guards, "reference", lambda: time.perf_counter() + next(looks))
    unlimited.train("steady state", BATCHED, Problem(), 11)


def test_device_goes(unlimited: Gate) -> None:
    """An honest row, while the limits of the device cannot be measured."""
    unlimited.train("steady state", BATCHED, Problem(), 12)


def _gone(_device: torch.device) -> NoReturn:
    raise RuntimeError("CUDA error: the GPU has fallen off the bus")


vars(measure)["measure"] = _gone
