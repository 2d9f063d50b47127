"""`fused`: all steps of a policy in one kernel, its state in registers."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import torch
from torch import Tensor

from targetrl_core.errors import Fault, UsageError
from targetrl_core.fused import compiler, cpu, cuda, mps
from targetrl_core.fused.kernel import STEP_LIMIT, Kernel, KernelTask, constants_of, correction_of, draw_of, kernel_of
from targetrl_core.history import History
from targetrl_core.population import Population
from targetrl_core.problem import Problem
from targetrl_core.state import State
from targetrl_core.step import begin, end, rule_for
from targetrl_core.variants.variant import EndState, TrainToEnd, Variant


def unsupported(problem: Problem, device: torch.device, _n: int) -> str | None:
    """Runs where the kernel that ``prepare`` takes can be built and loaded, which is tried; what is built is kept."""
    reason = {"cpu": compiler.why_no_compiler, "cuda": cuda.why_no_cuda_core}.get(device.type, lambda: None)()
    if reason is not None:
        return reason
    rule = rule_for(problem, _blank(device), compiled=True)
    try:
        _ready(kernel_of(rule, per_policy=problem.policies is not None), device)
    except UsageError as error:
        return Fault(error)
    return None


@cache
def _blank(device: torch.device) -> Population:
    """A fresh population, of which no number is read: it is asked about at every call."""
    return Population.zeros(1, device)


def prepare(problem: Problem, device: torch.device, n: int) -> Callable[..., Population]:
    """Build and load the kernel of a fresh population; that of one trained before differs where its moments do.

    What trains also fills an end state's first steps and outputs, where it is given ``ends``, and may begin by a first ``seed`` instead.
    """
    problem.check_policies(n)
    c, constants = problem.constants(device), constants_of(problem, device)
    per_policy = problem.policies is not None
    _ready(kernel_of(rule_for(problem, _blank(device), compiled=True), per_policy=per_policy), device)
    fresh = correction_of(problem, 0, device)  # to look it up would be a tenth of a call of few policies

    def train(
        population: Population, history: History | None, ends: tuple[Tensor, Tensor] | None = None, seed: int | None = None
    ) -> Population:
        problem.check_policies(population.n)
        rule = rule_for(problem, population, compiled=True)
        state = _contiguous(begin(rule, population, c))
        first, last = ends or (None, None)
        task = KernelTask(
            n=population.n,
            steps=problem.steps,
            state=state,
            constants=constants,
            correction=fresh if population.age == 0 else correction_of(problem, population.age, device),
            draw=draw_of(problem, population.age),
            seed=seed,
            history=history,
            first=first,
            last=last,
        )
        _launch(kernel_of(rule, per_policy=per_policy), task, device)
        return end(rule, population, state, problem.steps)

    return train


def prepare_to_end(problem: Problem, device: torch.device, n: int) -> TrainToEnd:
    """The same kernel, which also tells first steps and outputs, and makes the start of seeds.

    What it writes is kept for the next n policies, but for what a rule with moments, betas or a baseline of their own makes anew.
    """
    if problem.steps > STEP_LIMIT:
        raise UsageError(f"steps is {problem.steps}; it must be at most {STEP_LIMIT} where first steps are counted, which is in float32")
    run, blank = prepare(problem, device, n), Population.zeros(n, device)
    first, last = torch.empty(n, device=device, dtype=torch.float32), torch.empty(n, device=device, dtype=torch.float32)

    def train(start: Population | range) -> EndState:
        if isinstance(start, range):
            population, seed = replace(blank, seeds=start), start.start % 2**32
        else:
            population, seed = start.map(lambda tensor: tensor.to(device, copy=True)), None
        return EndState(run(population, None, (first, last), seed), first, last)

    return train


def _ready(kernel: Kernel, device: torch.device) -> None:
    """Build and load a kernel: its cold start. Raises UsageError where that fails."""
    if device.type == "cpu":
        cpu.built(kernel)
    elif device.type == "cuda":
        cuda.ready(kernel, device)
    else:
        mps.built(kernel)


def _launch(kernel: Kernel, task: KernelTask, device: torch.device) -> None:
    """Run a kernel on its task; on a GPU the task may still be running when this returns."""
    if device.type == "cpu":
        cpu.launch(kernel, task)
    elif device.type == "cuda":
        cuda.launch(kernel, task, device)
    else:
        mps.launch(kernel, task)


def _contiguous(state: State) -> State:
    return State._make([None if tensor is None else tensor.contiguous() for tensor in state])


FUSED = Variant("fused", unsupported, prepare, prepare_to_end)
