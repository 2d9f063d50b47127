"""Learning curves: what one policy puts out and is rewarded with, step by step; or how the outputs of a population are spread."""

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from targetrl_core.errors import UsageError
from targetrl_core.pictures.canvas import BLUE, VERMILLION, new_figure, png
from targetrl_core.problem import Problem, value_of
from targetrl_core.report import listing
from targetrl_core.training import Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST = 1 << 24
"""Most policy-steps whose outputs are kept for a picture: 128 MiB, as each is with its logit."""

BANDS = ((0.05, 0.95, 0.2), (0.25, 0.75, 0.4))
"""Quantiles between which a band is drawn, and how opaque it is; the median is a line."""

WIDTH, HEIGHT, DPI = 7.2, 4.2, 150


def check_curves(n: int, steps: int) -> None:
    """Raise UsageError where so many policies are too many for a picture."""
    if n * steps > MOST:
        raise UsageError(f"--plot draws at most {MOST:,} policy-steps; {n:,} policies of {steps:,} steps are {n * steps:,}")


def learning_curves(run: Run) -> bytes:
    """The picture of a recorded run: of one policy outputs and rewards, of more the spread of their outputs."""
    if run.history is None:
        raise TypeError("only a recorded run has curves")
    outputs = torch.cat((run.history, run.outputs[None])).numpy()
    return _one(run, outputs) if run.population.n == 1 else _many(run.problem, outputs)


def _one(run: Run, outputs: NDArray[np.float32]) -> bytes:
    """Outputs [steps + 1, 1], the last one after all updates, over the rewards of each step."""
    with new_figure(WIDTH, HEIGHT) as figure:
        above, below = figure.subplots(2, sharex=True)
        above.plot(outputs, color=BLUE)
        _target(above, run.problem)
        above.set(title=_title(run.problem), ylabel="output", ylim=(-0.02, 1.02))
        below.plot([listed.reward for listed in listing(run)], color=VERMILLION)
        below.set(xlabel="step", ylabel="reward")
        return png(figure, DPI)


def _many(problem: Problem, outputs: NDArray[np.float32]) -> bytes:
    """The spread of outputs [steps + 1, N] at each step."""
    steps = np.arange(len(outputs))
    with new_figure(WIDTH, HEIGHT) as figure:
        axes = figure.subplots()
        for low, high, opacity in BANDS:
            between = np.quantile(outputs, (low, high), axis=1)
            axes.fill_between(steps, *between, color=BLUE, alpha=opacity, linewidth=0, label=f"{low:.0%} to {high:.0%} of the policies")
        axes.plot(steps, np.median(outputs, axis=1), color=BLUE, label="median")
        _target(axes, problem)
        axes.set(title=f"{_title(problem)}, {outputs.shape[1]:,} policies", xlabel="step", ylabel="output", ylim=(-0.02, 1.02))
        axes.legend()
        return png(figure, DPI)


def _target(axes: "Axes", problem: Problem) -> None:
    axes.axhline(value_of(problem.target, 0), color="0.4", linestyle="--", linewidth=1, label="target")


def _title(problem: Problem) -> str:
    return f"{problem.objective}, {problem.optimizer}"
