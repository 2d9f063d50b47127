"""`fused`: all steps of a policy in one kernel, its state in registers."""

from dataclasses import replace
from functools import cache
from typing import Protocol

import torch
from torch import Tensor

from targetrl_core.errors import UsageError
from targetrl_core.fused.kernel import STEP_LIMIT, Task, constants_of, correction_of, draw_of, kernel_of
from targetrl_core.fused.launch import launch, ready, why_not, why_not_ready
from targetrl_core.history import History
from targetrl_core.population import Population, consecutive_seeds
from targetrl_core.problem import Problem
from targetrl_core.step import State, begin, end, rule_for
from targetrl_core.variants.variant import Finished, Finishing, Seeded, Train, Variant


def unsupported(problem: Problem, device: torch.device, _n: int) -> str | None:
    """Runs where the kernel that ``prepare`` takes can be built and loaded, which is tried; what is built is kept."""
    reason = why_not(device)
    if reason is not None:
        return reason
    rule = rule_for(problem, _blank(device), compiled=True)
    return why_not_ready(kernel_of(rule, per_policy=problem.policies is not None), device)


@cache
def _blank(device: torch.device) -> Population:
    """A fresh population, of which no number is read: it is asked about at every call."""
    return Population.fresh(*(torch.zeros(1, dtype=torch.float32, device=device) for _ in range(2)))


class _Recording(Protocol):
    """All steps of a population; it fills a history, or first steps at target and last outputs, where they are given, [N] each."""

    def __call__(
        self, population: Population, history: History | None, first: Tensor | None = None, last: Tensor | None = None
    ) -> Population: ...


def prepare(problem: Problem, device: torch.device, n: int) -> Train:
    """Build and load the kernel of a fresh population; that of one trained before differs where its moments do."""
    return _prepare(problem, device, n)


def prepare_finishing(problem: Problem, device: torch.device, n: int) -> Finishing:
    """The same kernel, which also tells first steps and outputs."""
    _check_steps(problem)
    run = _prepare(problem, device, n)

    def train(population: Population) -> Finished:
        first, outputs = torch.empty(n, device=device, dtype=torch.float32), torch.empty(n, device=device, dtype=torch.float32)
        return Finished(run(population.map(lambda tensor: tensor.to(device, copy=True)), None, first, outputs), first, outputs)

    return train


def _prepare(problem: Problem, device: torch.device, n: int) -> _Recording:
    problem.check_policies(n)
    c, constants = problem.constants(device), constants_of(problem, device)
    per_policy = problem.policies is not None
    blank = Population.zeros(1, device)
    ready(kernel_of(rule_for(problem, blank, compiled=True), per_policy=per_policy), device)
    fresh = correction_of(problem, 0, device)  # to look it up would be a tenth of a call of few policies

    def train(population: Population, history: History | None, first: Tensor | None = None, last: Tensor | None = None) -> Population:
        problem.check_policies(population.n)
        rule = rule_for(problem, population, compiled=True)
        state = _contiguous(begin(rule, population, c))
        task = Task(
            n=population.n,
            steps=problem.steps,
            state=state,
            constants=constants,
            correction=fresh if population.age == 0 else correction_of(problem, population.age, device),
            draw=draw_of(problem, population.age),
            history=history,
            first=first,
            last=last,
        )
        launch(kernel_of(rule, per_policy=per_policy), task, device)
        return end(rule, population, state, problem.steps)

    return train


def prepare_seeded(problem: Problem, device: torch.device, n: int) -> Seeded:
    """The same kernel, which also makes the start; all it writes is kept for the next n policies."""
    problem.check_policies(n)
    _check_steps(problem)
    constants = constants_of(problem, device)
    population = Population.zeros(n, device)
    rule = rule_for(problem, population, compiled=True)
    kernel = kernel_of(rule, per_policy=problem.policies is not None)
    state = begin(rule, population, problem.constants(device))
    first, outputs = torch.empty(n, device=device, dtype=torch.float32), torch.empty(n, device=device, dtype=torch.float32)
    correction = correction_of(problem, 0, device)
    trained = end(rule, population, state, problem.steps)
    ready(kernel, device)

    def train(seed: int) -> Finished:
        task = Task(
            n=n,
            steps=problem.steps,
            state=state if state.seeds is None else state._replace(seeds=consecutive_seeds(seed, n, device)),
            constants=constants,
            correction=correction,
            draw=draw_of(problem, 0),
            seed=seed % 2**32,
            first=first,
            last=outputs,
        )
        launch(kernel, task, device)
        return Finished(replace(trained, seeds=range(seed, seed + n)), first, outputs)

    return train


def _check_steps(problem: Problem) -> None:
    if problem.steps > STEP_LIMIT:
        raise UsageError(f"steps is {problem.steps}; it must be at most {STEP_LIMIT} where first steps are counted, which is in float32")


def _contiguous(state: State) -> State:
    return State._make([None if tensor is None else tensor.contiguous() for tensor in state])


FUSED = Variant("fused", unsupported, prepare, prepare_seeded, prepare_finishing)
