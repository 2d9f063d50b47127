"""Training whole parts of a population to the end: where its policies end, and when they first came to the target."""

import torch

from targetrl_core.history import History
from targetrl_core.listing.outcomes import first_steps, outputs_of
from targetrl_core.population import Population
from targetrl_core.problem import Problem
from targetrl_core.training import prepared
from targetrl_core.variants.variant import Finished, Finishing, Variant

CPU_CHUNK, GPU_CHUNK = 1 << 17, 1 << 25
"""Policies of a chunk: what fits the caches of a CPU; what fills a GPU."""

HISTORY_CHUNK = 1 << 24
"""Policy-steps of a chunk where a variant has to record all outputs to tell the first step at target: 128 MiB."""

ALIGNED = 1024
"""Chunks and shards begin at multiples of it: where a processor's vectors end, PyTorch takes other functions than within them."""


def chunk_of(problem: Problem, device: torch.device, *, recorded: bool) -> int:
    """How many policies are trained at a time."""
    if recorded:
        most = max(1, HISTORY_CHUNK // problem.steps)
        return most - most % ALIGNED or most
    return CPU_CHUNK if device.type == "cpu" else GPU_CHUNK


def finishing(variant: Variant, problem: Problem, device: torch.device, n: int) -> Finishing:
    """The variant, ready to train n policies to the end; one that tells no first steps has its history read."""
    if variant.prepare_finishing is not None:
        return variant.prepare_finishing(problem, device, n)
    run = prepared(variant, problem, device, n)

    def train(population: Population) -> Finished:
        history = History.empty(problem.steps, n, device)
        # A variant may consume what it trains: it gets a copy.
        trained = run(population.map(lambda tensor: tensor.to(device, copy=True)), history)
        return Finished(trained, first_steps(problem, history).to(device), outputs_of(problem, trained).to(device))

    return train
