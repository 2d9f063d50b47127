"""Plant errors into `batched`, and find how large one of each kind has to be for ``verify`` to find it in 99 of 100 examinations.

Sizes are tried from the smallest that a few examinations find upwards, until one is found in all but one in a hundred; a size is refused as
soon as more have missed it.
"""

import argparse
import math
import multiprocessing
import random
import signal
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from itertools import product
from typing import NamedTuple

import torch
from torch import Tensor

from bench.tables.table import markdown_table
from bench.upkeep import check_whole
from bench.verdicts.trials import proportion
from targetrl_core import Population, Problem, Variant, verify
from targetrl_core.arithmetic import Arithmetic
from targetrl_core.certification import certify
from targetrl_core.convergence import Expectation, check, undecided
from targetrl_core.devices import cores
from targetrl_core.errors import UsageError, one_of
from targetrl_core.history import History
from targetrl_core.listing.defaults import OBJECTIVES, Objective
from targetrl_core.modes import new_modes
from targetrl_core.problem import as_float64
from targetrl_core.progress import progress
from targetrl_core.step import begin, end, rule_for, run_steps, ticks
from targetrl_core.training import prepared
from targetrl_core.variants import Train
from targetrl_core.variants.batched import BATCHED

PILOT = 8
"""Examinations that say where to begin; one of them may miss."""

Plant = Callable[[float, Problem, torch.device, int], Train]
"""`batched` with an error of a size: what a variant's ``prepare`` is, for each size."""


class ErrorKind(NamedTuple):
    """A kind of error: how it is planted, the sizes that are tried, rising, and how one is written."""

    plant: Plant
    sizes: Sequence[float]
    text: Callable[[float], str]


class PowerTask(NamedTuple):
    """What one result is measured of."""

    kind: str
    objective: Objective
    policies: int
    examinations: int


class Result(NamedTuple):
    """The smallest size of a kind of error that has the power, None where none of those tried has; of honest runs, how many are refused."""

    task: PowerTask
    size: float | None
    refused: int = 0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is examined, and how often."""
    parser.add_argument(
        "--examinations", type=int, default=100, metavar="M", help="all but one in 100 have to find an error (default: 100)"
    )
    parser.add_argument("--policies", type=int, action="append", metavar="N", help="policies of each; may be repeated (default: 100)")
    parser.add_argument("--objective", action="append", help=f"{one_of(OBJECTIVES)}; may be repeated (default: detached, pathwise)")


def run(options: argparse.Namespace) -> int:
    """Measure, and print a row for each kind of error."""
    policies, objectives = options.policies or [100], options.objective or ["detached", "pathwise"]
    for name, value in (("examinations", options.examinations), *(("policies", n) for n in policies)):
        check_whole(name, value, 1, 10**5)
    for objective in objectives:
        if objective not in OBJECTIVES:
            raise UsageError(f"--objective is {objective!r}; it must be one of {one_of(OBJECTIVES)}")
    columns = product(policies, objectives)
    tasks = [PowerTask(kind, objective, n, options.examinations) for n, objective in columns for kind in (NONE, *KINDS)]
    with progress(len(tasks), "sizes", quiet=options.quiet) as bar:
        results = measure(tasks, bar.update)
    print(table(results, options.examinations))
    return 0


def measure(tasks: Sequence[PowerTask], tell: Callable[[], object]) -> list[Result]:
    """The results of all tasks, in order, as many at a time as there are cores."""
    results = []
    with multiprocessing.get_context("spawn").Pool(min(cores(), len(tasks)), _begin_worker) as workers:
        for measured in workers.imap(result, tasks):
            results.append(measured)
            tell()
    return results


def _begin_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who asked for the results is interrupted, and ends the workers
    torch.set_num_threads(1)


def result(task: PowerTask) -> Result:
    """The smallest size of a task's kind that its examinations find, or how often they refuse honest runs."""
    examinees = _examinees(task.objective, task.policies, task.examinations)
    if task.kind == NONE:
        return Result(task, None, refused=sum(examinee.finds(BATCHED) for examinee in examinees))
    return Result(task, smallest_size(KINDS[task.kind], examinees))


def smallest_size(kind: ErrorKind, examinees: Sequence["Examinee"]) -> float | None:
    """The smallest size of a kind that all but one in a hundred examinations find; None where there is none."""
    variants = [Variant(f"off-by-{size:g}", BATCHED.unsupported, partial(kind.plant, size)) for size in kind.sizes]
    first = bisect_left(variants, 1, key=lambda variant: _has_power(variant, examinees[:PILOT], 1))
    powerful = (i for i in range(first, len(variants)) if _has_power(variants[i], examinees, len(examinees) // 100))
    at = next(powerful, None)
    return None if at is None else kind.sizes[at]


class Examinee(NamedTuple):
    """A population that is examined, and what it has to become."""

    problem: Problem
    population: Population
    expectation: Expectation

    @new_modes()
    def finds(self, variant: Variant) -> bool:
        """Whether ``verify`` calls the variant diverged: by the population itself, which is soon told, or by what else it asks."""
        run = prepared(variant, self.problem, torch.device("cpu"), self.population.n)
        reasons = check(self.expectation, run(self.population.clone(), None)).reasons
        if reasons and not undecided(reasons):
            return True
        return verify(self.problem, self.population, variant=variant, expectation=self.expectation).level == "diverged"


@lru_cache(maxsize=1)
def _examinees(objective: Objective, policies: int, examinations: int) -> tuple[Examinee, ...]:
    chance, problem = random.SystemRandom(), Problem(objective=objective)
    populations = (Population.initialise(policies, seed=chance.randrange(2**62)) for _ in range(examinations))
    return tuple(Examinee(problem, population, certify(problem, population)) for population in populations)


def _has_power(variant: Variant, examinees: Sequence[Examinee], allowed: int) -> bool:
    """Whether at most as many examinations as are allowed miss a variant."""
    missed = 0
    for examinee in examinees:
        missed += not examinee.finds(variant)
        if missed > allowed:
            return False
    return True


def table(results: Sequence[Result], examinations: int) -> str:
    """A row for each kind, a column for each objective and number of policies; Markdown."""
    columns = list(dict.fromkeys((result.task.objective, result.task.policies) for result in results))
    cells = {result.task[:3]: _cell(result) for result in results}
    rows = [(kind, *(cells[kind, *column] for column in columns)) for kind in dict.fromkeys(result.task.kind for result in results)]
    hits = examinations - examinations // 100
    low, _, high = proportion(hits, examinations)
    least = "at least " if hits < examinations else ""
    share = f"{least}{hits} of {examinations} examinations, a share whose 95 % interval is {100 * low:.1f} to {100 * high:.1f} %."
    headings = ("error", *(f"`{objective}`, N = {policies:,}" for objective, policies in columns))
    return f"{markdown_table(rows, headings)}\n\nSmallest size that was found in {share}"


def _cell(result: Result) -> str:
    if result.task.kind == NONE:
        return f"refused in {result.refused} of {result.task.examinations}"
    kind = KINDS[result.task.kind]
    return f"not found at {kind.text(kind.sizes[-1])}" if result.size is None else kind.text(result.size)


def _nearer_to_one(value: Tensor, size: float) -> Tensor:
    return 1.0 - (1.0 - value) * (1.0 - size)


def _constant(name: str, change: Callable[[Tensor, float], Tensor] = lambda value, size: value * (1.0 + size)) -> Plant:
    """A constant is off, if nothing else is said by a part of itself."""

    def plant(size: float, problem: Problem, device: torch.device, n: int) -> Train:
        return BATCHED.prepare(problem.replace(**{name: change(as_float64(getattr(problem, name)), size)}), device, n)

    return plant


def _arithmetic(change: Callable[[Arithmetic, float], Arithmetic]) -> Plant:
    """A function that the step is built from is off."""

    def plant(size: float, problem: Problem, device: torch.device, _n: int) -> Train:
        c = problem.constants(device)

        def run(population: Population, history: History | None) -> Population:
            honest = rule_for(problem, population)
            rule = honest._replace(arithmetic=change(honest.arithmetic, size))
            state = run_steps(rule, begin(rule, population, c), c, ticks(problem, population.age, device), history)
            return end(rule, population, state, problem.steps)

        return run

    return plant


def _rounded(gradient: Tensor, size: float) -> Tensor:
    """A gradient whose mantissa, from 0.5 to 1, is a multiple of ``size``."""
    mantissa, exponent = torch.frexp(gradient)
    return torch.ldexp(torch.round(mantissa / size) * size, exponent)


def _moment_of_one(size: float, problem: Problem, device: torch.device, n: int) -> Train:
    honest = BATCHED.prepare(problem, device, n)

    def run(population: Population, history: History | None) -> Population:
        trained = honest(population, history)
        v_weight = trained.v_weight.clone()
        v_weight[_draws(population).argmin()] *= 1.0 + size
        return replace(trained, v_weight=v_weight)

    return run


def _untrained(share: float, problem: Problem, device: torch.device, n: int) -> Train:
    honest = BATCHED.prepare(problem, device, n)
    return lambda population, history: _mixed(share, population, honest(population, history))


def _last_step_skipped(share: float, problem: Problem, device: torch.device, n: int) -> Train:
    honest, shorter = BATCHED.prepare(problem, device, n), BATCHED.prepare(problem.replace(steps=problem.steps - 1), device, n)
    return lambda population, history: _mixed(share, shorter(population, None), honest(population, history))


def _mixed(share: float, before: Population, after: Population) -> Population:
    """Some policies as they are before, the others as they are after."""
    struck, tensors = _draws(before) < int(share * 2**32), before.tensors()
    mixed = {name: torch.where(struck, tensors.get(name, 0.0), tensor) for name, tensor in after.tensors().items()}
    return Population(**mixed, age=after.age, seeds=after.seeds)


def _draws(population: Population) -> Tensor:
    """What an error that strikes some policies chooses by: a number below 2³² of each, made of its weight; [N] int64."""
    return population.weight.view(torch.int32).to(torch.int64) * 0x9E3779B1 % 2**32


def _grid(low: int, high: int) -> tuple[float, ...]:
    """1, 2 and 5 times each power of ten from 10^low on, below 10^high."""
    return tuple(float(f"{digit}e{power}") for power in range(low, high) for digit in (1, 2, 5))


def _relative(size: float) -> str:
    return f"{size:g}".replace("e-0", "e-")


def _percent(share: float) -> str:
    return f"{100 * share:g} %"


_PARTS, _SHARES = _grid(-8, 0), (*_grid(-4, 0), 1.0)

NONE = "none"
"""The kind that is no error: honest runs."""

KINDS: dict[str, ErrorKind] = {
    "lr": ErrorKind(_constant("lr"), _PARTS, _relative),
    "eps": ErrorKind(_constant("eps"), _grid(-3, 4), _relative),
    "1 − beta1": ErrorKind(_constant("beta1", _nearer_to_one), _PARTS, _relative),
    "1 − beta2": ErrorKind(_constant("beta2", _nearer_to_one), _PARTS, _relative),
    "k": ErrorKind(_constant("k"), _PARTS, _relative),
    "target": ErrorKind(_constant("target", lambda target, size: target * (1.0 - size)), _PARTS, _relative),
    "sigmoid": ErrorKind(_arithmetic(lambda by, size: by._replace(sigmoid=lambda z: by.sigmoid(z) * (1.0 + size))), _PARTS, _relative),
    "square root": ErrorKind(_arithmetic(lambda by, size: by._replace(sqrt=lambda v: by.sqrt(v) * (1.0 + size))), _PARTS, _relative),
    "gradients": ErrorKind(_arithmetic(lambda by, size: by._replace(settle_gradient=lambda g: g * (1.0 + size))), _PARTS, _relative),
    "gradients rounded": ErrorKind(
        _arithmetic(lambda by, size: by._replace(settle_gradient=lambda g: _rounded(g, size))),
        [2.0**-bits for bits in range(23, 0, -1)],
        lambda size: f"to {-math.log2(size):.0f} bits",
    ),
    "second moment of one policy": ErrorKind(_moment_of_one, _PARTS, _relative),
    "untrained policies": ErrorKind(_untrained, _SHARES, _percent),
    "policies without the last step": ErrorKind(_last_step_skipped, _SHARES, _percent),
}
"""By what is wrong."""
