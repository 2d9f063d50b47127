"""Make the pages and pictures of docs/ anew, and the tables that report writes: docs/objectives.md is objectives.md with its figures.

All are made of runs of the core in portable arithmetic, so that every machine makes the same ones.
"""

import argparse
import math
import statistics
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from bench.commands import add_results
from bench.evidence.files import ROOT
from bench.report import folder
from bench.tables.table import markdown_table
from bench.upkeep import pictures
from bench.upkeep.pictures import NEAR, SETTINGS
from targetrl_core import Population, Problem, stream, train
from targetrl_core.errors import require_extra
from targetrl_core.files import replacing
from targetrl_core.listing.defaults import OBJECTIVES
from targetrl_core.listing.outcomes import Outcomes, count_outcomes, outputs_of
from targetrl_core.progress import progress
from targetrl_core.sweeps.run import Swept

DOCS = ROOT / "docs"
TEMPLATE = Path(__file__).with_name("objectives.md")

POLICIES = 200_000
"""Policies of every figure: seeds 0 … 199,999."""

STAGES = (10, 20, 50, 100, 200, 500, 1000)
"""Numbers of steps after which policies are looked at."""

RUN_ON = 1000
"""Steps that the listing is run on for, at most."""

LARGE = 1.0
"""Learning rates from which on most policies leap too far."""


class Stage(NamedTuple):
    """Where policies are after a number of steps: shares of all of them; and the median root of Adam's second moment, bias-corrected."""

    at_target: float
    near: float
    collapsed: float
    saturated: float
    scale: float


class Divide(NamedTuple):
    """Where `detached` sends policies: the output that divides them, who begins below it, and who ends on the side it began on."""

    output: float
    below: float
    stayed: float


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The folders."""
    add_results(parser)
    parser.add_argument("--docs", type=Path, default=DOCS, metavar="DIR", help="where the pages are (docs/)")


def run(options: argparse.Namespace) -> int:
    """Write, and say what was written."""
    require_extra("sweep", "matplotlib")
    made: dict[str, bytes] = {}
    with progress(None, "files", quiet=options.quiet) as bar:
        for name, content in _contents():
            made[name] = content
            bar.update()
    options.docs.mkdir(exist_ok=True)
    for name, content in made.items():
        with replacing(options.docs / name) as new:
            new.write_bytes(content)
        print(f"wrote {options.docs / name}")
    for line in folder.write(options.results, quiet=options.quiet):
        print(line)
    return 0


def _contents() -> Iterator[tuple[str, bytes]]:
    """Each page and picture, by its name."""
    yield "objectives.md", page().encode()
    yield pictures.BASIN, pictures.basin_png()
    for name, specification in pictures.specifications().items():
        yield name, pictures.svg(specification).encode()


def page() -> str:
    """docs/objectives.md."""
    at = {name: stages(problem) for name, problem in SETTINGS.items()}
    basin = pictures.swept()
    return TEMPLATE.read_text(encoding="utf-8").format(
        policies=POLICIES,
        last_seed=POLICIES - 1,
        near=NEAR,
        shown=pictures.SHOWN,
        shown_steps=pictures.SHOWN_STEPS,
        at=at,
        firsts={name: first_steps(SETTINGS[name], (0.5, 0.95)) for name in ("pathwise", "reinforce")},
        tables={objective: table({name: at[name] for name in at if name.startswith(objective)}) for objective in OBJECTIVES},
        divide=divide(),
        overflow=-overflow(),
        median_end=median_end(),
        command=pictures.command(),
        cells=basin.grid.cells,
        reached=basin.outcomes.at_target / basin.grid.cells,
        large=LARGE,
        lost=lost(basin),
    )


def stages(problem: Problem, policies: int = POLICIES, at: Sequence[int] = STAGES) -> dict[int, Stage]:
    """Train one population on and on, and look at it after each number of steps."""
    population, seen = Population.initialise(policies), {}
    for steps in at:
        trained = train(problem.replace(steps=steps - population.age), population)
        population = trained.population
        scale = (population.v_weight.double() / (1.0 - float(problem.beta2) ** steps)).sqrt().median()  # type: ignore[arg-type] # one number
        at_target, collapsed, saturated, _ = (count / policies for count in count_outcomes(trained.outputs, problem))
        seen[steps] = Stage(at_target, _share(pictures.is_near(trained.outputs)), collapsed, saturated, float(scale))
    return seen


def table(settings: dict[str, dict[int, Stage]]) -> str:
    """A line for each setting and number of steps."""
    lines = [
        (name, f"{steps:,}", *(f"{share:.2%}" for share in (stage.at_target, stage.near, stage.collapsed, stage.saturated)))
        for name, by_steps in settings.items()
        for steps, stage in by_steps.items()
    ]
    return markdown_table(lines, ("setting", "steps", "within 0.02", f"within {NEAR:g}", "collapsed", "saturated"))


def divide() -> Divide:
    """How the start decides under `detached`."""
    problem, population = SETTINGS["detached"], Population.initialise(POLICIES)
    before, after = outputs_of(problem, population), train(problem, population).outputs
    output = float(problem.target) - 1.0 / float(problem.k)  # type: ignore[arg-type] # one number each
    return Divide(output, _share(before < output), _share((before < output) == (after < output)))


def first_steps(problem: Problem, shares: Sequence[float], steps: int = 1000) -> list[str]:
    """When each share of the policies has first been at target, in words."""
    *_, summary = stream(problem.replace(steps=steps), POLICIES)
    quantiles = (summary.first_step_quantile(share) for share in shares)
    return ["never" if step is None else f"by step {step}" for step in quantiles]


def overflow() -> float:
    """The logit below which r/o, the listing's derivative of r·log o by o, is beyond float32: σ(z) < |1 − k·target|/largest number."""
    problem = SETTINGS["detached"]
    reward = 1.0 - float(problem.k) * float(problem.target)  # type: ignore[arg-type] # one number each
    return math.log(abs(reward) / torch.finfo(torch.float32).max)


def median_end(seeds: Iterable[int] = range(10)) -> int:
    """The median of the steps at which policies of the listing that collapse end, to the nearest ten: machines differ in the last bits."""
    with torch.random.fork_rng(devices=[]):
        ends = [end[0] for seed in seeds if (end := listing_end(seed)) is not None]
    return 10 * round(statistics.median(ends) / 10)


def listing_end(seed: int) -> tuple[int, float] | None:
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


def lost(basin: Swept) -> float:
    """The share of the cells with a large learning rate that have collapsed or are saturated."""
    large = basin.grid.values(0, basin.grid.cells)["lr"].numpy() >= LARGE
    ends = [Outcomes._fields.index(name) for name in ("collapsed", "saturated")]
    return float(np.isin(basin.outcome[large], ends).mean())


def _share(truths: Tensor) -> float:
    return float(truths.double().mean())
