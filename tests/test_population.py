"""Starts of populations."""

import pytest
import torch

from targetrl_core import Population, UsageError


def linear_under(seed: int) -> tuple[float, float]:
    """Weight and bias of nn.Linear(1, 1) under a seed."""
    torch.manual_seed(seed)
    layer = torch.nn.Linear(1, 1)
    return layer.weight.item(), layer.bias.item()


@pytest.mark.parametrize(("seed", "start"), [(0, 0), (123, 1000), (2**32 - 5, 0), (-3, 0), (2**63 - 3, 5), (2**64 - 10, 0)])
def test_policies_begin_as_the_listing(seed: int, start: int) -> None:
    """Policy i has the bits of nn.Linear(1, 1) under manual_seed(seed + i), also where seeds wrap."""
    population = Population.initialise(10, seed=seed, start=start)
    for i in range(10):
        assert (population.weight[i].item(), population.bias[i].item()) == linear_under(seed + start + i)


def test_every_slice_is_the_slice_of_the_whole() -> None:
    """A slice made on its own is bit for bit the slice of the whole population, across the internal blocks."""
    whole = Population.initialise(600_000, seed=3)
    for start, n in ((0, 1), (262_140, 10), (599_999, 1), (1000, 300_000)):
        part = Population.initialise(n, seed=3, start=start)
        assert torch.equal(part.weight, whole.weight[start : start + n])
        assert torch.equal(part.bias, whole.bias[start : start + n])


def test_moments_begin_at_zero_and_shared() -> None:
    """A fresh population has zero moments, one pair for both parameters, and no age."""
    population = Population.initialise(3)
    assert population.shares_moments
    assert not population.m_weight.any()
    assert not population.v_weight.any()
    assert population.age == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": 0}, "n is 0; it must be an integer of at least 1"),
        ({"n": -5}, "n is -5; it must be an integer of at least 1"),
        ({"n": 1.5}, "n is 1.5; it must be an integer of at least 1"),
        ({"n": 10**15}, "n is 1000000000000000; it must be at most"),
        ({"n": 1, "start": -1}, "start is -1; it must be an integer of at least 0"),
        ({"n": 1, "seed": 2**64}, "seed is 18446744073709551616; seed \\+ start \\+ n must be at most"),
        ({"n": 1, "seed": "one"}, "seed is 'one'; it must be an integer"),
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, int], message: str) -> None:
    """A bad argument is refused in one line with its name, its value and the allowed range."""
    with pytest.raises(UsageError, match=message) as caught:
        Population.initialise(**arguments)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("weight", "bias", "message"),
    [
        (torch.zeros(2, 1), torch.zeros(2, 1), r"weight is torch.float32 \[2, 1\]; it must be a float32 tensor \[N\]"),
        (torch.zeros(0), torch.zeros(0), r"weight is torch.float32 \[0\]"),
        (torch.tensor(0.5), torch.tensor(0.5), r"weight is torch.float32 \[\]"),
        (torch.zeros(2).double(), torch.zeros(2), r"weight is torch.float64 \[2\]"),
        (torch.zeros(2), torch.zeros(3), "bias has 3 policies; it must have as many as weight: 2"),
        (torch.zeros(2), torch.zeros(2, device="meta"), "bias is on meta; it must be on the device of weight: cpu"),
    ],
)
def test_states_of_another_form_are_named(weight: torch.Tensor, bias: torch.Tensor, message: str) -> None:
    """Wrong shapes, types and mixed devices are refused, naming the tensor."""
    with pytest.raises(UsageError, match=message):
        Population.fresh(weight, bias)
