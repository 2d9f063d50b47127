"""Recording: a few policies trained by the oracle and by every variant, and a grid of them, whose outcomes are a map.

    python -m bench trajectories

What does not converge identically is recorded as withheld, and has no outputs.
"""

from pathlib import Path

import msgspec
import torch

from bench.evidence.commit import commit_info
from bench.evidence.files import write_atomically
from bench.evidence.fingerprint import default_label, fingerprint
from bench.evidence.reasons import one_line
from bench.peers import PEERS
from bench.peers.requirements import versions
from bench.trajectories.evidence import SUFFIX, Course, OutcomeMap, Trajectories
from targetrl_core import VARIANTS, Population, Problem, Variant
from targetrl_core.certification import certify
from targetrl_core.convergence import Expectation, passes
from targetrl_core.history import History
from targetrl_core.listing.outcomes import Outcomes, outcome_codes, outputs_of
from targetrl_core.names import ARITHMETICS, OBJECTIVES
from targetrl_core.oracle import reference
from targetrl_core.problem import value_of
from targetrl_core.progress import watched
from targetrl_core.training import choose
from targetrl_core.variants.installed import packages

POLICIES = 6
"""Seeds 0 … 5: under ``detached`` some of them collapse and some saturate."""

LOGITS = torch.linspace(-4.0, 4.0, 41, dtype=torch.float32, device="cpu")
RATES = torch.logspace(-2.0, 0.5, 26, dtype=torch.float64, device="cpu")

WITHHELD = "withheld: did not converge identically; targetrl verify says how"


def main(results: Path, device: str, label: str | None, *, quiet: bool = True) -> Path:
    """Record everything on a device, and write it; returns the file."""
    place = torch.device(device)
    problems = [Problem(objective=objective, arithmetic=arithmetic) for arithmetic in ARITHMETICS for objective in OBJECTIVES]
    courses = [course(problem, place) for problem in watched(problems, "problems", quiet=quiet, what="trajectories")]
    shown = watched(OBJECTIVES, "objectives", quiet=quiet, what="outcome maps")
    maps = [outcome_map(Problem(objective=objective), place) for objective in shown]
    found = _evidence(device, label, courses, maps)
    path = results / f"{found.label}-{device}{SUFFIX}"
    write_atomically(path, msgspec.json.format(msgspec.json.encode(found), indent=0).decode() + "\n")
    return path


def course(problem: Problem, device: torch.device) -> Course:
    """The outputs of a few policies on a problem, by the oracle and by every variant."""
    population = Population.initialise(POLICIES, seed=0)
    expectation = certify(problem, population)
    variants, absent = {}, {}
    for variant in (*VARIANTS, *PEERS):
        found = _outputs(variant, problem, population, expectation, device)
        if isinstance(found, str):
            absent[variant.name] = found
        else:
            variants[variant.name] = found
    return Course(
        objective=problem.objective, arithmetic=problem.arithmetic, steps=problem.steps, seeds=list(range(POLICIES)),
        ambiguous=expectation.reference.kinked.tolist(), oracle=oracle_outputs(problem, population), variants=variants, absent=absent,
    )  # fmt: skip


def oracle_outputs(problem: Problem, population: Population) -> list[list[float]]:
    """Output of each policy before every update and after the last one: [policies][steps + 1].

    The oracle tells where a policy ends, so it trains none, one, two … steps, each time from the start.
    """
    start = population.weight.double() * value_of(problem.x, 0) + population.bias.double()
    logits = [start, *(reference(problem.replace(steps=steps), population).logit for steps in range(1, problem.steps + 1))]
    outputs: list[list[float]] = torch.sigmoid(torch.stack(logits, 1)).tolist()
    return outputs


def _outputs(
    variant: Variant, problem: Problem, population: Population, expectation: Expectation, device: torch.device
) -> list[list[float]] | str:
    """The outputs that a variant records, [policies][steps + 1], or why there are none."""
    reason = variant.unsupported(problem, device, population.n)
    if reason is not None:
        return one_line(reason)
    try:
        history = History.empty(problem.steps, population.n, device)
        trained = variant.prepare(problem, device, population.n)(population.map(lambda tensor: tensor.to(device, copy=True)), history)
    except Exception as error:  # noqa: BLE001 — compilers and packages may raise anything, and the others go on
        return f"{type(error).__name__}: {one_line(str(error))}"
    if not passes(expectation, trained) or not bool(history.outputs.isfinite().all()):
        return WITHHELD
    outputs: list[list[float]] = torch.cat((history.outputs.to("cpu"), outputs_of(problem, trained)[None])).T.tolist()
    return outputs


def outcome_map(problem: Problem, device: torch.device) -> OutcomeMap:
    """Where a grid of policies ends: each column begins at one logit, each row has one learning rate.

    Raises:
        RuntimeError: the variant did not converge identically.
    """
    columns, rows = len(LOGITS), len(RATES)
    bias = LOGITS.repeat(rows)
    population = Population.fresh(torch.zeros_like(bias), bias)
    swept = problem.replace(lr=RATES.repeat_interleave(columns))
    variant = choose(swept, device, population.n)
    trained = variant.prepare(swept, device, population.n)(population.map(lambda tensor: tensor.to(device, copy=True)), None)
    if not passes(certify(swept, population), trained):
        raise RuntimeError(f"{variant.name}: {WITHHELD}")
    outputs = outputs_of(swept, trained)
    names = [Outcomes._fields[code] for code in outcome_codes(outputs, swept).tolist()]
    return OutcomeMap(
        objective=problem.objective, variant=variant.name, steps=problem.steps, logits=LOGITS.tolist(), rates=RATES.tolist(),
        outputs=outputs.reshape(rows, columns).tolist(),
        outcomes=[names[start : start + columns] for start in range(0, len(names), columns)],  # type: ignore[misc] # the names of Outcomes
    )  # fmt: skip


def _evidence(device: str, label: str | None, courses: list[Course], maps: list[OutcomeMap]) -> Trajectories:
    from pytest_benchmark.plugin import pytest_benchmark_generate_machine_info

    machine = pytest_benchmark_generate_machine_info()
    return Trajectories(
        schema=1,
        label=label or default_label(machine, device),
        device=device,  # type: ignore[arg-type] # one that is here
        fingerprint=fingerprint(machine, commit_info(), device, packages() | versions()),
        courses=courses,
        maps=maps,
    )
