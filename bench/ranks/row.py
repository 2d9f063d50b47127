"""A row of ranks that train together: their sum has to be that of one process, whose policies are examined as in any row."""

import math
import random

import torch

from bench.ranks.job import Job, RankTask, started
from bench.timing.gate import LEAST_ROUNDS, MOST_ROUNDS, Gate, facts_of
from bench.timing.guards import raise_unless_empty
from bench.timing.rounds import cell_of
from targetrl_core import Population, Problem, Variant, stream
from targetrl_core.certification import certify
from targetrl_core.convergence import Identity, check
from targetrl_core.devices import cores
from targetrl_core.training import choose, prepared

EXAMINED = 10_000
"""Policies that tell whether the variant converges identically; of all the checksum tells whether ranks do as one process."""


def time_ranks(gate: Gate, problem: Problem, n: int, ranks: int, why_not: str | None) -> None:
    """Time ``ranks`` processes from the word to the sum; withheld where it is not that of one process."""
    variant = choose(problem, gate.device, n)
    with gate.row(cell_of("sharding", variant.name, problem, n, ranks=ranks), why_not or _why_too_many(gate.device, ranks)) as row:
        identity = _examined(gate, problem, variant)
        *_, whole = stream(problem, n, variant=variant, device=gate.device)
        task = RankTask(
            policies=n,
            steps=problem.steps,
            objective=problem.objective,
            arithmetic=problem.arithmetic,
            variant=variant.name,
            device=gate.device.type,
        )
        with started(ranks, task) as job:
            checksums = _rounds(gate, job)
        wrong = sorted(checksums - {whole.checksum})
        raise_unless_empty(
            tuple(f"checksum {value:016x} of {ranks} ranks; that of one process is {whole.checksum:016x}" for value in wrong)
        )
        row.update(facts_of(identity), threads=task.threads)


def _why_too_many(device: torch.device, ranks: int) -> str | None:
    there, what = (torch.cuda.device_count(), "GPUs") if device.type == "cuda" else (cores(), "cores")
    return f"{there} {what} are here, and a rank takes one" if ranks > there else None


def _examined(gate: Gate, problem: Problem, variant: Variant) -> Identity:
    """The check of policies that are trained as ranks train them: by a kernel that makes their start too, where the variant has one."""
    seed = random.SystemRandom().randrange(2**62)
    start = Population.initialise(EXAMINED, seed)
    if variant.prepare_to_end is not None:
        trained = variant.prepare_to_end(problem, gate.device, EXAMINED)(range(seed, seed + EXAMINED)).population
    else:
        trained = prepared(variant, problem, gate.device, EXAMINED)(start.clone().to(gate.device), None)
    identity = check(certify(problem, start), trained)
    raise_unless_empty((*identity.reasons, *gate.once.variant_faults(problem, variant, gate.device)))
    return identity


def _rounds(gate: Gate, job: Job) -> set[int]:
    """Time the rounds; every checksum that a rank came to."""
    first = job.round()
    checksums = set(first.checksums)

    def run() -> None:
        checksums.update(job.round().checksums)

    rounds = min(max(math.ceil(gate.seconds / max(first.seconds, 1e-6)), LEAST_ROUNDS + 2), MOST_ROUNDS)
    gate.benchmark.pedantic(run, rounds=rounds)
    return checksums
