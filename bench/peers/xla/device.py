"""jax on the device that was asked for, and a population's way into it and out of it. Imported where jax is used, and only there."""

import os
from functools import lru_cache

# jax would take three quarters of a GPU at its first look at one, and torch is there already.
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

import jax
import numpy as np
import torch
from torch import Tensor
from torch.utils.dlpack import from_dlpack

from bench.peers import arrays
from bench.peers.arrays import Arrays
from targetrl_core import Problem
from targetrl_core.state import State


def place_of(device: torch.device) -> Arrays:
    """The device of jax that is ``device``."""
    if device.type == "cpu":
        return jax.devices("cpu")[0]
    return jax.devices("cuda")[device.index or 0]


def imported(state: State) -> Arrays:
    """The state as jax takes it, without a copy: arrays of numpy on the CPU, which a compiled function takes faster than its own.

    On a GPU they are jax's own arrays, by DLPack, once torch's work on them is done.
    """
    if state.weight.device.type == "cpu":
        return arrays.views(state)
    return State._make(None if tensor is None else jax.dlpack.from_dlpack(tensor) for tensor in state)


def exported(values: Arrays) -> State:
    """Arrays of jax as tensors that share their memory, once they are computed."""
    jax.block_until_ready(values)
    return State._make(None if value is None else tensor_of(value) for value in values)


def tensor_of(value: Arrays) -> Tensor:
    """One array of jax as a tensor."""
    tensor: Tensor = from_dlpack(value)
    return tensor


def placed(values: Arrays, place: Arrays) -> Arrays:
    """Constants as the device holds them: what a function is given there it computes there."""
    return jax.device_put(values, place)


@lru_cache(maxsize=16)
def rows(problem: Problem, age: int, place: Arrays) -> Arrays:
    """The bias corrections of each step, [steps, 2], on a device; under SGD as many zeros, which no one reads."""
    table = arrays.rows(problem, age)
    return placed(np.zeros((problem.steps, 2), np.float32) if table is None else table, place)
