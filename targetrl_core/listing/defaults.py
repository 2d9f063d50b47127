"""The listing's defaults, and the names it has, the default first; kept apart from torch so that the command line can show them at once."""

from typing import Literal, get_args

Objective = Literal["detached", "pathwise", "reinforce"]
Baseline = Literal["moving-average", "none"]

OBJECTIVES: tuple[Objective, ...] = get_args(Objective)
BASELINES: tuple[Baseline, ...] = get_args(Baseline)

STEPS, SAMPLES, NOISE_SEED = 50, 1, 0
DEFAULTS = {
    "target": 0.8,
    "k": 5.0,
    "x": 1.0,
    "lr": 0.1,
    "beta1": 0.9,
    "beta2": 0.999,
    "eps": 1e-8,
    "sigma": 0.05,
    "baseline_decay": 0.8,
}
"""The constants that may differ from policy to policy, as they are where nothing else is said."""
