"""A population's tensors as numpy arrays and back, which share their memory: nothing is copied on the way into a peer or out of it."""

from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from targetrl_core import Problem
from targetrl_core.optimizers import correction_table
from targetrl_core.problem import Constants
from targetrl_core.state import State

Array = NDArray[np.float32]

Arrays = Any
"""A State or Constants that holds arrays in place of tensors, and float32 numbers in place of 0-d ones."""

CPU = torch.device("cpu")


def contiguous(state: State) -> State:
    """The state in plain memory, as it nearly always is: what is compiled for arrays wants them without gaps."""
    return State._make(None if tensor is None else tensor.contiguous() for tensor in state)


def views(state: State) -> Arrays:
    """The state's own memory as arrays, [N] each."""
    return State._make(None if tensor is None else tensor.numpy() for tensor in state)


def constants(problem: Problem) -> Arrays:
    """The step's constants: a float32 number each, or an array [N] where policies differ."""
    return Constants._make(_number_or_array(value) for value in problem.constants(CPU))


def _number_or_array(value: Tensor) -> Array | np.float32:
    return value.numpy() if value.ndim else np.float32(value.item())


@lru_cache(maxsize=16)
def rows(problem: Problem, age: int) -> Array | None:
    """Adam's bias corrections of each step, [steps, 2]: √(1 − beta2^t)/(1 − beta1^t) and √(1 − beta2^t); None under SGD."""
    table = correction_table(problem, age, CPU)
    return None if table is None else table[:, :2].contiguous().numpy()
