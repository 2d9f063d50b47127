"""The names of what any recipe may be run with, the default first; kept apart from torch so that the command line can show them at once."""

from typing import Literal, get_args

Optimizer = Literal["adam", "sgd"]
Arithmetic = Literal["native", "portable"]

OPTIMIZERS: tuple[Optimizer, ...] = get_args(Optimizer)
ARITHMETICS: tuple[Arithmetic, ...] = get_args(Arithmetic)
DEVICES = ("cpu", "cuda", "mps")
