"""The noise of `reinforce`: known words, normal numbers, and nothing that depends on where a policy stands."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from targetrl_core.arithmetic import arithmetic
from targetrl_core.listing.oracle_gradients import NOISE_ULP, normals
from targetrl_core.noise import Words, draw_table, noise, philox
from targetrl_core.problem import Problem
from targetrl_core.rounding import FACTOR, float32_ulp
from tests import independent

CPU = torch.device("cpu")
ROOT = arithmetic("portable", CPU).sqrt

# Counter, key and words of the file kat_vectors that Random123, the authors' own library, is tested with.
KNOWN = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    ((0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344), (0xA4093822, 0x299F31D0), (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1)),
]


def drawn(seeds: torch.Tensor, step: int, samples: int = 1, noise_seed: int = 0) -> torch.Tensor:
    """The noise of a step, [samples, N]."""
    return torch.stack(list(noise(seeds, draw_table(noise_seed, step, 1, CPU)[0], samples, ROOT)))


@pytest.mark.parametrize(("counter", "key", "words"), KNOWN)
def test_philox_gives_the_published_words(counter: tuple[int, ...], key: tuple[int, int], words: tuple[int, ...]) -> None:
    """Counter and key of the published test vectors give their words, as tensors and in the NumPy program of the tests."""
    drawn = philox(Words(*(torch.tensor([word]) for word in counter)), (torch.tensor(key[0]), torch.tensor(key[1])))
    assert tuple(int(word) for word in drawn) == words
    mine = independent.philox([np.array([word], np.uint64) for word in counter], list(key))
    assert tuple(int(word[0]) for word in mine) == words


@given(st.integers(-(2**63), 2**64 - 1), st.integers(0, 2**32 - 1), st.integers(0, 2**63 - 1))
@settings(max_examples=50, deadline=None)
def test_noise_belongs_to_its_policy(seed: int, step: int, noise_seed: int) -> None:
    """What a policy draws depends on its seed, the step, the sample and the noise seed, and on no other policy beside it."""
    own = torch.tensor([(seed + 2**63) % 2**64 - 2**63])
    beside = torch.cat([torch.arange(5), own, torch.arange(7)])
    alone = drawn(own, step, 6, noise_seed)[:, 0]
    assert torch.equal(alone, drawn(beside, step, 6, noise_seed)[:, 5])
    assert torch.equal(alone[:2], drawn(own, step, 2, noise_seed)[:, 0])
    assert len(set(alone.tolist())) == 6
    assert not torch.equal(alone, drawn(own, (step + 1) % 2**32, 6, noise_seed)[:, 0])
    assert not torch.equal(alone, drawn(own, step, 6, noise_seed ^ 2**40)[:, 0])
    assert not torch.equal(alone, drawn(own ^ 2**40, step, 6, noise_seed)[:, 0])


def test_noise_is_normal() -> None:
    """Of 400,000 numbers four moments are the normal distribution's within five standard errors, and so is the distribution itself."""
    e = drawn(torch.arange(100_000), 3, 4).double().flatten()
    n = len(e)
    for power, moment, variance in ((1, 0.0, 1.0), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 3.0, 96.0)):
        assert abs(float((e**power).mean()) - moment) < 5 * math.sqrt(variance / n), power
    expected = torch.special.ndtr(e.sort().values)
    steps = torch.arange(1, n + 1, dtype=torch.float64) / n
    assert float((steps - expected).abs().max()) < 1.95 / math.sqrt(n)
    assert 4.0 < float(e.abs().max()) < 6.0


def test_samples_and_neighbours_are_not_correlated() -> None:
    """Noise of different samples, steps and neighbouring policies has correlations within five standard errors of zero."""
    seeds = torch.arange(100_000)
    here = drawn(seeds, 0, 5).double()
    later, beside = drawn(seeds, 1).double()[0], drawn(seeds + 1, 0).double()[0]
    for other in (*here[1:], later, beside):
        assert abs(float((here[0] * other).mean())) < 5 / math.sqrt(100_000)


def test_noise_is_the_oracles_to_a_few_ulp() -> None:
    """Float32's numbers are within the bound that the oracle allows of those that it makes of the same words, the rarest included."""
    seeds = torch.arange(1_000_000)
    problem = Problem(objective="reinforce", samples=4)
    for single, exact in zip(drawn(seeds, 9, 4), normals(problem, seeds, 9), strict=True):
        allowed = FACTOR * NOISE_ULP * float32_ulp(exact.abs().clamp(min=1.0))
        assert bool(((single.double() - exact).abs() <= allowed).all())
