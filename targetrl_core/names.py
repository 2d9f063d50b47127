"""The names that a user may type, kept apart from torch so that the command line can show them at once."""

from typing import Literal, get_args

Objective = Literal["detached", "pathwise", "reinforce"]
Optimizer = Literal["adam", "sgd"]
Arithmetic = Literal["native", "portable"]
Baseline = Literal["moving-average", "none"]

OBJECTIVES: tuple[Objective, ...] = get_args(Objective)
OPTIMIZERS: tuple[Optimizer, ...] = get_args(Optimizer)
ARITHMETICS: tuple[Arithmetic, ...] = get_args(Arithmetic)
BASELINES: tuple[Baseline, ...] = get_args(Baseline)
DEVICES = ("cpu", "cuda", "mps")
