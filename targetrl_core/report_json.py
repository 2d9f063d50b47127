"""What ``--json`` prints: the same as the lines of ``report``, for programs. A number that is none, such as NaN, is null."""

import json
import math
from collections.abc import Iterable
from typing import Any

import torch

from targetrl_core.problem import CONSTANTS, Problem
from targetrl_core.report import Place, listing
from targetrl_core.summary import Summary
from targetrl_core.training import Run
from targetrl_core.verification import Report

QUANTILES = (0.05, 0.5, 0.95)
"""Shares of the policies whose first steps at target are told."""


def text(document: dict[str, Any]) -> str:
    """The document."""
    return json.dumps(_finite(document), indent=1, ensure_ascii=False, allow_nan=False)


def problem(of: Problem) -> dict[str, Any]:
    """The fields of a problem, those that differ between policies left out."""
    named = ("objective", "optimizer", "arithmetic", "steps", *CONSTANTS)
    drawn = ("baseline", "samples", "noise_seed") if of.objective == "reinforce" else ()
    return {name: getattr(of, name) for name in (*named, *drawn) if name not in of.per_policy}


def run(of: Run, seed: int) -> dict[str, Any]:
    """One policy, step by step, and the seed that it began with."""
    (output,) = of.outputs.tolist()
    return {
        "problem": problem(of.problem),
        "seed": seed,
        "torch": torch.__version__,
        "variant": of.variant,
        "device": str(of.population.device),
        "steps": [listed._asdict() for listed in listing(of)],
        "output": output,
        "outcomes": of.outcomes._asdict(),
    }


def summary(of: Summary, seed: int) -> dict[str, Any]:
    """A population, and the seed of its first policy."""
    return {
        "problem": problem(of.problem),
        "seed": seed,
        "torch": torch.__version__,
        "variant": of.variant,
        "device": of.device,
        "policies": of.policies,
        "outcomes": of.outcomes._asdict(),
        "histogram": of.histogram.tolist(),
        "first_steps": {f"{share:g}": of.first_step_quantile(share) for share in QUANTILES},
        "checksum": f"{of.checksum:016x}",
    }


def devices(listed: Iterable[Place]) -> dict[str, Any]:
    """What can run here, and for what cannot, why."""
    return {"torch": torch.__version__, "threads": torch.get_num_threads(), "places": [place._asdict() for place in listed]}


def verified(report: Report) -> dict[str, Any]:
    """A row of ``targetrl verify``."""
    return {
        "device": report.device,
        "variant": report.variant,
        "objective": report.problem.objective,
        "arithmetic": report.problem.arithmetic,
        "verdict": report.level,
        "ulp": dict(report.identity.ulp),
        "ambiguous": report.ambiguous,
        "flips": report.flips,
        "outcomes": report.outcomes._asdict(),
        "reasons": list(report.reasons),
    }


def not_verified(variant: str, of: Problem, device: torch.device, verdict: str, reason: str) -> dict[str, Any]:
    """The row of a variant of which there is no report: ``not run``, as it cannot, or ``failed``."""
    row = {"device": str(device), "variant": variant, "objective": of.objective, "arithmetic": of.arithmetic}
    return row | {"verdict": verdict, "reasons": [reason]}


def _finite(document: Any) -> Any:  # noqa: ANN401 — any part of a document
    if isinstance(document, dict):
        return {str(name): _finite(value) for name, value in document.items()}
    if isinstance(document, Iterable) and not isinstance(document, str):
        return [_finite(value) for value in document]
    return None if isinstance(document, float) and not math.isfinite(document) else document
