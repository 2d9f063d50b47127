"""Rows that train nothing: making populations and moving them. They pass a gate of their own: every bit has to be right."""

import random
from collections.abc import Callable
from typing import Literal

import torch
from torch import nn

from bench.evidence.schema import Cell
from bench.timing.gate import Gate
from bench.timing.guards import NotIdenticalError
from targetrl_core import Population
from targetrl_core.certification import same_bits

Direction = Literal["to device", "to host"]
ROUNDS, SAMPLED = 7, 20


def time_initialise(gate: Gate, n: int) -> None:
    """Time ``Population.initialise`` from a seed drawn for each round, and check every policy of it."""
    if gate.device.type != "cpu":
        reason = "populations are made on the CPU"
        with gate.row(Cell(question="construction", policies=n), reason):
            return
    made: list[tuple[int, Population]] = []

    def setup() -> tuple[tuple[int], dict[str, object]]:
        made.clear()
        return (random.SystemRandom().randrange(2**40),), {}

    def run(seed: int) -> None:
        made.append((seed, Population.initialise(n, seed=seed)))

    def check(*_: object) -> None:
        check_initialised(made[0][1], made[0][0])

    _time(gate, Cell(question="construction", policies=n), run, setup, check)


def check_initialised(population: Population, seed: int) -> None:
    """Raise NotIdenticalError unless every policy has the bits of one made in another block, and some those of nn.Linear itself.

    A million layers would take a quarter of a minute. So the population is made anew from two parts that meet at a random seam, and
    nn.Linear says of a sample, the ends and the seam among it, whether those bits are the right ones.
    """
    chance, n = random.SystemRandom(), population.n
    seam = chance.randrange(1, n)
    for start, stop in ((0, seam), (seam, n)):
        if not same_bits(population.slice(start, stop), Population.initialise(stop - start, seed=seed, start=start)):
            raise NotIdenticalError(f"policies {start} … {stop - 1} of seed {seed} have other bits than when they are made by themselves")
    for policy in {0, seam - 1, seam, n - 1, *chance.sample(range(n), min(n, SAMPLED))}:
        _compare_with_linear(population, policy, seed)


def _compare_with_linear(population: Population, policy: int, seed: int) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed + policy)
        layer = nn.Linear(1, 1)
    parameters = population.weight[policy].item(), population.bias[policy].item()
    expected = layer.weight.item(), layer.bias.item()
    if parameters != expected:
        raise NotIdenticalError(f"policy {policy} of seed {seed} begins at {parameters} where nn.Linear begins at {expected}")


def time_transfer(gate: Gate, direction: Direction, n: int) -> None:
    """Time how a population gets to the device, or from it to the CPU, and compare every bit that arrives."""
    cell = Cell(question=direction, policies=n)
    if gate.device.type == "cpu":
        with gate.row(cell, "populations are on the CPU as it is"):
            return
    start = Population.initialise(n)
    there, to = (start, gate.device) if direction == "to device" else (start.to(gate.device), torch.device("cpu"))
    arrived: list[Population] = []

    def setup() -> tuple[tuple[()], dict[str, object]]:
        arrived.clear()
        return (), {}

    def run() -> None:
        arrived.append(there.to(to))

    def check() -> None:
        if not same_bits(start, arrived[0].to("cpu")):
            raise NotIdenticalError(f"a population that went {direction} has other bits")

    _time(gate, cell, run, setup, check)


def _time(gate: Gate, cell: Cell, run: Callable[..., None], setup: Callable[[], object], check: Callable[..., None]) -> None:
    with gate.row(cell) as row:
        gate.benchmark.pedantic(run, setup=setup, teardown=check, rounds=ROUNDS, warmup_rounds=1)
        check()  # --benchmark-disable calls no teardown
        row["identity"] = "bitwise"
