"""Whether what a run recorded, step by step, is what the problem calls for: logits, outputs, and first steps at target."""

from collections.abc import Iterator

import torch
from torch import Tensor

from targetrl_core.convergence import ROUNDING, Expectation, numbered
from targetrl_core.history import History
from targetrl_core.listing.outcomes import first_steps
from targetrl_core.oracle import LogitRow, course
from targetrl_core.population import Population
from targetrl_core.problem import Problem
from targetrl_core.rounding import FACTOR


def history_faults(expectation: Expectation, history: History) -> tuple[str, ...]:
    """Why a recorded run is not the one expected: logits or outputs left out, or first steps that are not the oracle's."""
    for name, values in (("logits", history.logits), ("outputs", history.outputs)):
        if not bool((values.isfinite() | expectation.reference.overflowing.to(values.device)).all()):
            return (f"the history has {name} that were never recorded",)
    return first_step_faults(expectation, first_steps(expectation.problem, history))


def first_step_faults(expectation: Expectation, first: Tensor) -> tuple[str, ...]:
    """Why first steps at target, [N] on the CPU, are not the oracle's."""
    ref = expectation.reference
    wrong = (first != ref.first_step) & ~(ref.first_unsure | ref.undetermined)
    if not bool(wrong.any()):
        return ()
    policy = int(wrong.nonzero()[0])
    step, right = int(first[policy]), int(ref.first_step[policy])
    first_wrong = f"the first is policy {numbered(expectation, policy)}: {step} where {right} is right"
    return (f"{int(wrong.sum())} policies reach the target at another step, {first_wrong}",)


def output_faults(expectation: Expectation, outputs: Tensor) -> tuple[str, ...]:
    """Why outputs after the last update, [N] float32 on the CPU, are not the oracle's; undetermined policies aside."""
    ref = expectation.reference
    return tuple(_wrong_outputs("outputs", outputs, LogitRow(ref.logit, ref.logit_reach, ref.undetermined)))


def row_faults(problem: Problem, start: Population, history: History) -> tuple[str, ...]:
    """Why what was recorded before some update is not what the oracle has there, a line each; undetermined policies aside.

    Args:
        problem: what the policies were trained on.
        start: where they began, [N], on the CPU.
        history: what they put out, [steps, N].
    """
    for step, row in enumerate(course(problem, start)):
        logits, outputs, reach = history.logits[step].to("cpu"), history.outputs[step].to("cpu"), FACTOR * row.logit_reach
        wrong = (
            *_wrong_values("recorded logits", logits, row.logit - reach, row.logit + reach, row.undetermined),
            *_wrong_outputs("recorded outputs", outputs, row),
        )
        if wrong:
            return tuple(f"before update {step}: {reason}" for reason in wrong)
    return ()


def _wrong_outputs(name: str, outputs: Tensor, row: LogitRow) -> Iterator[str]:
    """A reason for outputs, [N], that are not those of a row of the oracle's."""
    reach = FACTOR * row.logit_reach
    low, high = torch.sigmoid(row.logit - reach) - ROUNDING, torch.sigmoid(row.logit + reach) + ROUNDING
    yield from _wrong_values(name, outputs, low, high, row.undetermined)


def _wrong_values(name: str, values: Tensor, least: Tensor, most: Tensor, undetermined: Tensor) -> Iterator[str]:
    wrong = ~undetermined & ~((values.double() >= least) & (values.double() <= most))  # NaN is wrong
    if bool(wrong.any()):
        policy = int(wrong.nonzero()[0])
        where = f"the first is {values[policy]:.9g} where {least[policy]:.9g} to {most[policy]:.9g} is right"
        yield f"{int(wrong.sum())} {name} are out of bounds, {where}"
