"""The lines that the command line prints."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

import torch
from tabulate import tabulate
from torch import Tensor
from torch.distributions import Normal
from torch.nn import functional

from targetrl_core.devices import device_name, why_absent
from targetrl_core.errors import kind_and_message
from targetrl_core.listing.outcomes import Outcomes
from targetrl_core.listing.policy import TINY_OUTPUT, noise_of_policy
from targetrl_core.names import DEVICES
from targetrl_core.problem import Problem, value_of
from targetrl_core.summary import Summary
from targetrl_core.training import Run
from targetrl_core.variants import VARIANTS, Variant
from targetrl_core.verification import Report


class Listed(NamedTuple):
    """What the listing says of one policy at one step, before its update."""

    step: int
    output: float
    reward: float
    loss: float


def listing_lines(run: Run) -> Iterator[str]:
    """What the listing prints of one policy: a line for each step."""
    for step, output, reward, loss in listing(run):
        yield f"Step {step}: output={output:.3f}, reward={reward:.3f}, loss={loss:.3f}"


def listing(run: Run) -> Iterator[Listed]:
    """What the listing says of one policy, step by step."""
    if run.history is None or run.logits is None:
        raise TypeError("only a recorded run has lines")
    if run.problem.objective == "reinforce":
        yield from _reinforce_listing(run, run.history[:, 0])
        return
    target, k = value_of(run.problem.target, 0), value_of(run.problem.k, 0)
    for step in range(run.problem.steps):
        output, z = run.history[step, 0].reshape(1, 1), run.logits[step, 0].reshape(1, 1)
        reward = 1.0 - abs(output.item() - target) * k
        log_output = functional.logsigmoid(z) if output.item() < TINY_OUTPUT else torch.log(output)
        loss = -reward if run.problem.objective == "pathwise" else (-reward * log_output).item()
        yield Listed(step, output.item(), reward, loss)


def _reinforce_listing(run: Run, outputs: Tensor) -> Iterator[Listed]:
    """The same of `reinforce`: mean reward and loss of the actions that were drawn, from the noise that belongs to the policy."""
    problem, start = run.problem, replace(run.population.to("cpu"), age=run.population.age - run.problem.steps)
    target, k, sigma, decay = (value_of(getattr(problem, name), 0) for name in ("target", "k", "sigma", "baseline_decay"))
    baseline = 0.0
    for step, (output, noise) in enumerate(zip(outputs, noise_of_policy(problem, start, 0), strict=True)):
        rewards = 1.0 - k * (output + sigma * noise - target).abs()
        log_density = Normal(output, sigma).log_prob(output + sigma * noise)
        loss, reward = -((rewards - baseline) * log_density).mean().item(), rewards.mean().item()
        yield Listed(step, output.item(), reward, loss)
        if problem.keeps_baseline:
            baseline += (1.0 - decay) * (reward - baseline)


def summary_lines(summary: Summary) -> Iterator[str]:
    """What became of a population: outcomes, outputs, first steps at target, checksum."""
    n, problem = summary.policies, summary.problem
    yield f"{n:,} policies, {problem.objective}, {problem.steps} steps, {problem.arithmetic}, {summary.variant} on {summary.device}"
    yield outcome_table(summary.outcomes)
    yield ""
    tenths = summary.histogram.reshape(10, -1).sum(1).tolist()
    rows = [(f"{i / 10:.1f} … {(i + 1) / 10:.1f}", f"{count:,}", "█" * round(_WIDEST * count / n)) for i, count in enumerate(tenths)]
    yield tabulate(rows, headers=("output", "policies", ""), colalign=("left", "right", "left"))
    yield ""
    yield "first within 0.02 of the target: " + ", ".join(_first_step(summary, share) for share in (0.05, 0.5, 0.95))
    yield f"checksum of the trained weights and biases: {summary.checksum:016x}"


def outcome_table(outcomes: Outcomes) -> str:
    """How many policies ended where, and which share of all that is."""
    rows = [(name.replace("_", " "), f"{count:,}", f"{count / sum(outcomes):.2%}") for name, count in outcomes._asdict().items()]
    return tabulate(rows, headers=("outcome", "policies", "share"), colalign=("left", "right", "right"))


_WIDEST = 40
"""Characters of a bar that stands for all policies."""


def _first_step(summary: Summary, share: float) -> str:
    step = summary.first_step_quantile(share)
    return f"fewer than {share:.0%} ever" if step is None else f"{share:.0%} by step {step}"


class Place(NamedTuple):
    """A device, or a variant on it: what it is called, why it cannot be used, or None, and whether it failed to say that."""

    device: str
    variant: str | None
    name: str | None
    reason: str | None
    failed: bool = False


def places() -> Iterator[Place]:
    """Every device, and every variant on those that are here."""
    for name in DEVICES:
        absent = why_absent(name)
        yield Place(name, None, None if absent else device_name(torch.device(name)), absent)
        for variant in () if absent else VARIANTS:
            yield _place(name, variant)


def _place(device: str, variant: Variant) -> Place:
    try:
        return Place(device, variant.name, None, variant.unsupported(Problem(), torch.device(device), 1))
    except (Exception, SystemExit) as error:  # noqa: BLE001 — a variant of another package may raise anything
        return Place(device, variant.name, None, f"failed: {kind_and_message(error)}", failed=True)


def device_lines(listed: Iterable[Place]) -> Iterator[str]:
    """Every device and every variant on it: available, or why not."""
    yield f"torch {torch.__version__}, {torch.get_num_threads()} threads"
    rows = [
        (
            "" if place.variant else place.device,
            place.variant or "",
            (place.name or "available") if place.reason is None else f"not available: {place.reason}",
        )
        for place in listed
    ]
    yield tabulate(rows, headers=("device", "variant", "status"), tablefmt="simple")


_ROW = "{:<6} {:<17} {:<9} {:<9} {:<9} {:>8} {:>8} {:>8} {:>8}  {:>9} {:>5}  {}"
VERIFY_HEADER = _ROW.format(
    "device", "variant", "objective", "arithm.", "verdict", "ULP w", "b", "m", "v", "ambiguous", "flips",
    "at target/collapsed/saturated/elsewhere",
)  # fmt: skip


def verify_line(report: Report) -> str:
    """One row of ``targetrl verify``."""
    ulp = report.identity.ulp
    by_tensor = (ulp["weight"], ulp["bias"], max(ulp["m_weight"], ulp["m_bias"]), max(ulp["v_weight"], ulp["v_bias"]))
    return _ROW.format(
        report.device,
        report.variant,
        report.problem.objective,
        report.problem.arithmetic,
        report.level,
        *(f"{value:.1f}" if value < 1e6 else f"{value:.1e}" for value in by_tensor),  # noqa: PLR2004
        report.ambiguous,
        report.flips,
        "/".join(f"{count}" for count in report.outcomes),
    )


def verify_not_measured(variant: str, problem: Problem, device: torch.device, reason: str) -> str:
    """The row of a variant that cannot run, or failed."""
    return f"{device!s:<6} {variant:<17} {problem.objective:<9} {problem.arithmetic:<9} {reason}"
