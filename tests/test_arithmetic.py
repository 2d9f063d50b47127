"""Portable arithmetic: its functions against exact ones, and against each other."""

import math

import mpmath
import pytest
import torch
from torch import Tensor

from targetrl_core.arithmetic import (
    GRADIENT_FLOOR,
    MOMENT_FLOOR,
    PORTABLE,
    portable_exp,
    portable_sigmoid,
    sqrt_in_float32,
    sqrt_through_float64,
)
from targetrl_core.variants.compiling import compiled


def one_to_four() -> Tensor:
    """Every float32 of [1, 4): 2^24 of them, on which the square root's rounding depends."""
    return torch.arange(0x3F800000, 0x40800000, dtype=torch.int32).view(torch.float32)


@pytest.mark.parametrize("root", [sqrt_through_float64, sqrt_in_float32])
def test_square_root_is_correctly_rounded_everywhere(root: object) -> None:
    """Of all 2^24 floats of [1, 4), each root lies between the midpoints to its neighbours, by exact integer arithmetic."""
    x = one_to_four()
    s = root(x)  # type: ignore[operator]
    # In units of 2^-24, s is an even integer n, x·2^48 an integer: (n − 1)² < x·2^48 < (n + 1)².
    n = (s.double() * 2.0**24).to(torch.int64)
    square = (x.double() * 2.0**48).to(torch.int64)
    assert bool(((n - 1) ** 2 < square).all())
    assert bool((square < (n + 1) ** 2).all())


def test_square_roots_agree_over_the_whole_range() -> None:
    """The roots in float32, through float64 and of the compiled CPU code are the same bits, from 2^-126 to 2^127, and at 0."""
    bits = torch.arange(0x00800000, 0x7F000000, 997, dtype=torch.int32)
    x = torch.cat((torch.zeros(1), bits.view(torch.float32)))
    expected = sqrt_through_float64(x)
    assert torch.equal(sqrt_in_float32(x), expected)

    def root(x: Tensor) -> Tensor:
        return torch.sqrt(x)

    assert torch.equal(compiled(root)(x), expected)


def test_correction_mends_a_root_that_is_one_ulp_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """From seeds one ulp above or below the right root, the float32 correction still ends at it."""
    x = one_to_four()[::17].clone()
    expected, honest = sqrt_through_float64(x), torch.sqrt
    for towards in (0.0, 4.0):
        monkeypatch.setattr(torch, "sqrt", lambda y, to=towards: torch.nextafter(honest(y.double()).float(), torch.tensor(to)))
        assert torch.equal(sqrt_in_float32(x), expected)


def test_exponential_is_within_an_ulp() -> None:
    """The portable e^x is within 1 ulp of the exact one over [−87, 87]."""
    x = torch.linspace(-87.0, 87.0, 2_000_001)
    exact = torch.exp(x.double())
    ulp = torch.ldexp(torch.ones_like(exact), torch.frexp(exact).exponent - 24)
    assert float(((portable_exp(x).double() - exact).abs() / ulp).max()) < 1.0


def test_exponential_against_fifty_digits() -> None:
    """The float64 exponential used above is itself right, by mpmath at 50 digits."""
    with mpmath.workdps(50):
        for x in (-87.0, -1.5, 0.25, 3.0, 87.0):
            assert abs(math.exp(x) / mpmath.exp(x) - 1) < 2.0**-52


def test_sigmoid_is_normal_everywhere() -> None:
    """σ(z) is a normal float32 in [0, 1] for every finite z: no device has a subnormal to flush."""
    z = torch.tensor([-3e38, -1e4, -104.0, -87.5, -87.0, 0.0, 17.0, 87.5, 3e38])
    o = portable_sigmoid(z)
    assert bool((o >= torch.finfo(torch.float32).smallest_normal).all())
    assert bool((o <= 1.0).all())
    assert o[5] == 0.5


def test_small_results_settle_at_zero() -> None:
    """Gradients and moments below their floors become zero, those above stay what they are."""
    for settle, floor in ((PORTABLE.settle_gradient, GRADIENT_FLOOR), (PORTABLE.settle_moment, MOMENT_FLOOR)):
        x = torch.tensor([floor, -floor, floor / 2, -floor / 2, 0.0, 1.0])
        assert settle(x).tolist() == [floor, -floor, 0.0, 0.0, 0.0, 1.0]
