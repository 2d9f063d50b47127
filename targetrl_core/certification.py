"""What a population has to become: what the oracle says of it, with the bits that portable arithmetic makes of it."""

from dataclasses import replace

import torch
from torch import Tensor

from targetrl_core.convergence import Expectation, expect
from targetrl_core.listing.probe import hard_output
from targetrl_core.modes import new_modes
from targetrl_core.population import Population
from targetrl_core.problem import Problem, as_float64
from targetrl_core.variants.batched import BATCHED

CHECK_LIMIT = 10_000_000
"""Most policies that are checked one by one; of more, a sample of as many, the hardest among them."""


@new_modes()
def certify(problem: Problem, population: Population, policies: Tensor | None = None) -> Expectation:
    """What ``population`` has to become: all of its policies, or those whose indices are given, in order, [M] int64 on the CPU."""
    if policies is None and population.n > CHECK_LIMIT:
        policies = _hardest_and_drawn(problem, population)
    return with_bits(expect(problem, population, policies=policies), problem, population)


def with_bits(expectation: Expectation, problem: Problem, population: Population) -> Expectation:
    """The expectation for the problem's arithmetic: with the bits of its checked policies where that is portable, and without elsewhere.

    What the oracle says is the same for every arithmetic, so one expectation serves them all.
    """
    if expectation.policies is not None:
        problem, population = problem.take(expectation.policies), population.take(expectation.policies)
    bits = _portable_bits(problem, population) if problem.arithmetic == "portable" else None
    return replace(expectation, problem=problem, bits=bits)


def unforeseen() -> torch.Generator:
    """A generator whose numbers nobody can foresee, on the CPU."""
    generator = torch.Generator(device="cpu")
    generator.seed()
    return generator


def drawn_places(n: int, count: int) -> Tensor:
    """``count`` of n places, one drawn from each of as many equal parts: in order, no two the same, [count] int64 on the CPU."""
    edges = torch.arange(count + 1, dtype=torch.int64, device="cpu") * n // count
    widths = edges[1:] - edges[:-1]
    within = torch.rand(count, generator=unforeseen(), dtype=torch.float64, device="cpu") * widths
    return edges[:-1] + torch.minimum(within.to(torch.int64), widths - 1)


def same_bits(first: Population, second: Population) -> bool:
    """Whether two populations hold the same bits in every state tensor, and have the same ones."""
    tensors, others = first.tensors(), second.tensors()
    return tensors.keys() == others.keys() and all(
        torch.equal(tensor.view(torch.int32), others[name].view(torch.int32)) for name, tensor in tensors.items()
    )


def _portable_bits(problem: Problem, population: Population) -> Population:
    """The bits of `batched` on the CPU, from two unequal parts: they must not depend on where a policy stands."""
    cpu, n = torch.device("cpu"), population.n
    cut = n // 3
    parts = []
    for start, stop in ((0, cut), (cut, n)):
        if stop > start:
            part = problem.take(slice(start, stop))
            parts.append(BATCHED.prepare(part, cpu, stop - start)(population.to("cpu").slice(start, stop).clone(), None))
    joined = {name: torch.cat([part.tensors()[name] for part in parts]) for name in parts[0].tensors()}
    return replace(population.to("cpu"), **joined, age=parts[0].age)


def _hardest_and_drawn(problem: Problem, population: Population) -> Tensor:
    """Indices of the policies checked of a population too large to check whole: the hardest, and others drawn at random over the whole."""
    z = population.weight.to("cpu") * as_float64(problem.x).float() + population.bias.to("cpu")
    below = -torch.ones(problem.policies or 1, dtype=torch.float64, device="cpu")
    distance = (torch.sigmoid(z) - hard_output(problem, below).float()).abs()
    hardest = distance.topk(CHECK_LIMIT // 10, largest=False).indices
    chosen: Tensor = torch.unique(torch.cat((hardest, drawn_places(population.n, CHECK_LIMIT * 9 // 10))))
    return chosen
