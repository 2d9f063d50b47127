"""Measure how far honest variants are from the oracle, in units of the oracle's reach: where its FACTOR comes from.

It trains every built-in variant and arithmetic that runs on the CPU, on problems that differ in steps, constants and optimiser, and writes
``results/bounds.json``: for each kind of problem and tensor the largest distance seen, and by which variant on which problem.
"""

import argparse
import json
from collections.abc import Iterator
from itertools import product
from typing import Any

import torch

from bench.commands import add_results
from bench.evidence.files import write_atomically
from targetrl_core import Population, Problem
from targetrl_core.listing.defaults import OBJECTIVES
from targetrl_core.listing.probe import probe
from targetrl_core.oracle import Reference, reference
from targetrl_core.progress import watched
from targetrl_core.variants import BUILT_IN

STEPS = {10: 50_000, 50: 200_000, 100: 50_000, 300: 20_000, 1000: 5_000}
"""Steps → policies that are trained as long."""

SETTINGS: dict[str, list[dict[str, float]]] = {
    "adam": [{}, {"x": -1.7}, {"target": 0.3, "k": 2.0, "lr": 0.03}, {"beta1": 0.5, "beta2": 0.9, "eps": 1e-6}],
    "sgd": [{"lr": 0.5}, {"lr": 0.1, "x": 0.7}, {"lr": 0.05, "target": 0.3, "k": 2.0}],
}
"""Constants beside the listing's own."""

ONE_BY_ONE = 10_000
"""Most policy-steps for the variants that train one policy after another, of at most 50 policies."""


def measure(*, quiet: bool = True) -> dict[str, Any]:
    """``objective/optimizer`` → steps → tensor → largest distance and what showed it; and the share of policies at a kink.

    That share is of the specification's starts under the first setting of each optimiser.
    """
    furthest: dict[str, dict[str, dict[str, Any]]] = {}
    for problem, n in watched(list(_problems()), "problems", quiet=quiet):
        population = _starts(problem, n)
        expected = reference(problem, population)
        rows = furthest.setdefault(f"{problem.objective}/{problem.optimizer}", {}).setdefault(str(problem.steps), {})
        rows.setdefault("kinked", float(expected.undetermined[::2].double().mean()))
        for name, arithmetic, distances in _distances(problem, population, expected):
            for tensor, distance in distances.items():
                if distance > rows.get(tensor, {"distance": -1.0})["distance"]:
                    rows[tensor] = {"distance": round(distance, 2), "variant": name, "arithmetic": arithmetic, "problem": _text(problem)}
    return furthest


def _problems() -> Iterator[tuple[Problem, int]]:
    for (steps, n), objective, (optimizer, settings) in product(STEPS.items(), OBJECTIVES, SETTINGS.items()):
        for constants in settings:
            problem = Problem(objective=objective, optimizer=optimizer, steps=steps, **constants)  # type: ignore[arg-type] # names of both
            yield problem, n
            if objective == "reinforce":
                yield problem.replace(samples=5, sigma=0.3, baseline_decay=0.5), n // 4


def _starts(problem: Problem, n: int) -> Population:
    """Every other policy the specification's start, the others a probe's: near hard points, or anywhere."""
    usual = Population.initialise(n, seed=2_000_000)
    hard = probe(problem, n, torch.Generator(device="cpu").manual_seed(0))
    odd = torch.arange(n, dtype=torch.int64, device="cpu") % 2 == 1
    return Population.fresh(torch.where(odd, hard.weight, usual.weight), torch.where(odd, hard.bias, usual.bias), usual.seeds)


def _distances(problem: Problem, population: Population, expected: Reference) -> Iterator[tuple[str, str, dict[str, float]]]:
    device = torch.device("cpu")
    for arithmetic in ("native", "portable"):
        same = problem.replace(arithmetic=arithmetic)
        for variant in BUILT_IN:
            n = population.n
            if variant.unsupported(same, device, n) and variant.name in ("eager", "compiled"):
                n = min(50, ONE_BY_ONE // problem.steps)
            if variant.unsupported(same, device, n) is None:
                trained = variant.prepare(same, device, n)(population.slice(0, n).clone(), None)
                yield variant.name, arithmetic, largest_distances(expected, trained)


def largest_distances(expected: Reference, trained: Population) -> dict[str, float]:
    """Largest |trained − oracle| of each tensor in units of its reach, policies at a kink aside."""
    n = trained.n
    clear = ~expected.undetermined[:n]
    distances = {}
    for name, state in expected.state.items():
        distance = (trained.tensors()[name].double() - state[:n]).abs() / expected.reach[name][:n]
        distances[name] = float(distance[clear].max()) if clear.any() else 0.0
    return distances


def _text(problem: Problem) -> str:
    names = ["target", "k", "x", "lr", "beta1", "beta2", "eps"]
    if problem.objective == "reinforce":
        names += ["sigma", "baseline_decay", "samples"]
    values = (f"{name}={getattr(problem, name):g}" for name in names)
    return f"{problem.objective} {problem.optimizer} {problem.steps} steps: " + " ".join(values)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The folder."""
    add_results(parser)


def run(options: argparse.Namespace) -> int:
    """Measure, and write ``bounds.json``."""
    path = options.results / "bounds.json"
    write_atomically(path, json.dumps(measure(quiet=options.quiet), indent=1) + "\n")
    print(f"wrote {path}")
    return 0
