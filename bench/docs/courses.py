"""What becomes of populations under each objective, by number of steps: the figures of docs/objectives.md."""

import math
import statistics
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from targetrl_core import Population, Problem, train
from targetrl_core.listing.outcomes import Outcomes, count_outcomes, outputs_of

POLICIES = 200_000
"""Policies of every figure: seeds 0 … 199,999."""

STAGES = (10, 20, 50, 100, 200, 500, 1000)
"""Numbers of steps after which policies are looked at."""

NEAR = 0.05
"""Within this distance of the target an output counts as near it; `reinforce` is too noisy for 0.02."""

SHOWN, SHOWN_STEPS = 20, 120
"""Policies and steps of the pictures."""

RUN_ON = 1000
"""Steps that the listing is run on for, at most."""


class Setting(NamedTuple):
    """A problem, and what it is called."""

    name: str
    problem: Problem


def setting(name: str, **constants: Any) -> Setting:  # noqa: ANN401 — Problem's own
    """A setting in portable arithmetic, whose bits are the same on every machine."""
    return Setting(name, Problem(arithmetic="portable", **constants))


SETTINGS = (
    setting("detached", objective="detached"),
    setting("pathwise", objective="pathwise"),
    setting("reinforce", objective="reinforce"),
    setting("reinforce, no baseline", objective="reinforce", baseline="none"),
    setting("reinforce, 8 samples", objective="reinforce", samples=8),
    setting("reinforce, sigma 0.2", objective="reinforce", sigma=0.2),
)


class Stage(NamedTuple):
    """Where policies are after a number of steps: shares of all of them; and the median root of Adam's second moment, bias-corrected."""

    steps: int
    at_target: float
    near: float
    collapsed: float
    saturated: float
    elsewhere: float
    scale: float


def stages(problem: Problem, policies: int = POLICIES, at: Sequence[int] = STAGES) -> list[Stage]:
    """Train one population on and on, and look at it after each number of steps."""
    population, found = Population.initialise(policies), []
    for steps in at:
        run = train(problem.replace(steps=steps - population.age), population)
        population = run.population
        scale = (population.v_weight.double() / (1.0 - float(problem.beta2) ** steps)).sqrt().median()  # type: ignore[arg-type] # one number
        found.append(_stage(problem, steps, run.outputs, float(scale)))
    return found


def _stage(problem: Problem, steps: int, outputs: Tensor, scale: float) -> Stage:
    outcomes, n = count_outcomes(outputs, problem), len(outputs)
    near = ((outputs.double() - float(problem.target)).abs() <= NEAR).double().mean()  # type: ignore[arg-type] # one target for all
    shares = Outcomes(*(count / n for count in outcomes))  # type: ignore[arg-type] # shares in place of counts
    return Stage(steps, shares.at_target, float(near), shares.collapsed, shares.saturated, shares.elsewhere, scale)


class Divide(NamedTuple):
    """Where `detached` sends policies: the output that divides them, who begins below it, and who ends on the side it began on."""

    output: float
    below: float
    stayed: float


def divide() -> Divide:
    """How the start decides under `detached`."""
    problem, population = SETTINGS[0].problem, Population.initialise(POLICIES)
    before, after = outputs_of(problem, population), train(problem, population).outputs
    output = float(problem.target) - 1.0 / float(problem.k)  # type: ignore[arg-type] # one number each
    return Divide(output, _share(before < output), _share((before < output) == (after < output)))


def first_steps(problem: Problem, shares: Sequence[float], steps: int = 1000) -> list[int | None]:
    """The step by which each share of the policies has first been at target; None where it never is."""
    from targetrl_core import stream

    *_, summary = stream(problem.replace(steps=steps), POLICIES)
    return [summary.first_step_quantile(share) for share in shares]


def overflow() -> float:
    """The logit below which r/o, the listing's derivative of r·log o by o, is beyond float32: σ(z) < |1 − k·target|/largest number."""
    problem = SETTINGS[0].problem
    reward = 1.0 - float(problem.k) * float(problem.target)  # type: ignore[arg-type] # one number each
    return math.log(abs(reward) / torch.finfo(torch.float32).max)


def listing_ends(seed: int) -> tuple[int, float] | None:
    """The step at which the listing, run on as it is written, first puts out NaN, and its last finite logit; None where it never does."""
    torch.manual_seed(seed)
    layer, last = nn.Linear(1, 1), math.inf
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.1)
    for step in range(RUN_ON):
        logit = layer(torch.ones(1, 1, dtype=torch.float32, device="cpu"))
        output = torch.sigmoid(logit)
        if output.isnan():
            return step, last
        last = logit.item()
        loss = -(1.0 - abs(output.item() - 0.8) * 5) * torch.log(output)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return None


def median_end(seeds: Sequence[int] = range(30)) -> int:
    """The median of those steps over the seeds whose policies collapse, to the nearest ten: machines differ in the last bits."""
    with torch.random.fork_rng(devices=[]):
        ends = [end[0] for seed in seeds if (end := listing_ends(seed)) is not None]
    return 10 * round(statistics.median(ends) / 10)


def outputs_by_step(problem: Problem, policies: int = SHOWN, steps: int = SHOWN_STEPS) -> Tensor:
    """Outputs before each update, [steps, policies]."""
    history = train(problem.replace(steps=steps), Population.initialise(policies), record=True).history
    if history is None:
        raise TypeError("only a recorded run has a history")
    return history


def _share(truths: Tensor) -> float:
    return float(truths.double().mean())
