"""What the commands print: lines for people, and documents for programs, which ``--json`` asks for."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from tabulate import tabulate
from torch import Tensor
from torch.distributions import Normal

from targetrl_core.devices import device_name, why_absent
from targetrl_core.errors import kind_and_message
from targetrl_core.listing.outcomes import Outcomes
from targetrl_core.listing.policy import listing_loss, noise_of_policy
from targetrl_core.names import DEVICES
from targetrl_core.problem import CONSTANTS, Problem, value_of
from targetrl_core.streaming import Summary
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
        loss, reward = listing_loss(z, output, target, k)
        yield Listed(step, output.item(), reward, -reward if run.problem.objective == "pathwise" else loss.item())


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


def run_document(run: Run, seed: int) -> dict[str, Any]:
    """One policy, step by step, and the seed that it began with."""
    (output,) = run.outputs.tolist()
    return {
        "problem": problem_fields(run.problem),
        "seed": seed,
        "torch": torch.__version__,
        "variant": run.variant,
        "device": str(run.population.device),
        "steps": [listed._asdict() for listed in listing(run)],
        "output": output,
        "outcomes": run.outcomes._asdict(),
    }


def problem_fields(problem: Problem) -> dict[str, Any]:
    """The fields of a problem, those that differ between policies left out."""
    named = ("objective", "optimizer", "arithmetic", "steps", *CONSTANTS)
    drawn = ("baseline", "samples", "noise_seed") if problem.objective == "reinforce" else ()
    return {name: getattr(problem, name) for name in (*named, *drawn) if name not in problem.per_policy}


QUANTILES = (0.05, 0.5, 0.95)
"""Shares of the policies whose first steps at target are told."""


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
    yield "first within 0.02 of the target: " + ", ".join(_first_step(summary, share) for share in QUANTILES)
    yield f"checksum of the trained weights and biases: {summary.checksum:016x}"


def summary_document(summary: Summary, seed: int) -> dict[str, Any]:
    """The same, and the seed of the first policy."""
    return {
        "problem": problem_fields(summary.problem),
        "seed": seed,
        "torch": torch.__version__,
        "variant": summary.variant,
        "device": summary.device,
        "policies": summary.policies,
        "outcomes": summary.outcomes._asdict(),
        "histogram": summary.histogram.tolist(),
        "first_steps": {f"{share:g}": summary.first_step_quantile(share) for share in QUANTILES},
        "checksum": f"{summary.checksum:016x}",
    }


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


def devices_document(listed: Iterable[Place]) -> dict[str, Any]:
    """The same."""
    return {"torch": torch.__version__, "threads": torch.get_num_threads(), "places": [place._asdict() for place in listed]}


class Checked(NamedTuple):
    """A row of ``targetrl verify``; without a report, the verdict is ``not run``, as the variant cannot, or ``failed``."""

    variant: str
    device: torch.device
    problem: Problem
    verdict: str
    reasons: tuple[str, ...] = ()
    report: Report | None = None

    @property
    def complaints(self) -> list[str]:
        """A line for each reason why the variant did not converge identically, or for how it failed."""
        if self.verdict == "not run":
            return []
        what = f"{self.variant} on {self.device}, {self.problem.objective}, {self.problem.arithmetic}"
        return [f"{what}: {reason if self.report else f'{self.verdict}: {reason}'}" for reason in self.reasons]


_CELL = "{:<6} {:<17} {:<9} {:<9} "
_FIGURES = "{:<9} {:>8} {:>8} {:>8} {:>8}  {:>9} {:>5}  {}"
VERIFY_HEADER = _CELL.format("device", "variant", "objective", "arithm.") + _FIGURES.format(
    "verdict", "ULP w", "b", "m", "v", "ambiguous", "flips", "at target/collapsed/saturated/elsewhere"
)


def verify_line(row: Checked) -> str:
    """A row of ``targetrl verify``."""
    cell, report = _CELL.format(str(row.device), row.variant, row.problem.objective, row.problem.arithmetic), row.report
    if report is None:
        return f"{cell}{row.verdict}: {row.reasons[0]}"
    ulp = report.identity.ulp
    by_tensor = (ulp["weight"], ulp["bias"], max(ulp["m_weight"], ulp["m_bias"]), max(ulp["v_weight"], ulp["v_bias"]))
    return cell + _FIGURES.format(
        row.verdict,
        *(f"{value:.1f}" if value < 1e6 else f"{value:.1e}" for value in by_tensor),  # noqa: PLR2004
        report.ambiguous,
        report.flips,
        "/".join(f"{count}" for count in report.outcomes),
    )


def verify_document(row: Checked) -> dict[str, Any]:
    """The same."""
    cell = {"device": str(row.device), "variant": row.variant, "objective": row.problem.objective, "arithmetic": row.problem.arithmetic}
    figures: dict[str, Any] = {}
    if row.report is not None:
        figures = {name: getattr(row.report.identity, name) for name in ("ulp", "ambiguous", "flips")}
        figures["outcomes"] = row.report.outcomes._asdict()
    return cell | {"verdict": row.verdict} | figures | {"reasons": list(row.reasons)}
