"""The float32 functions that the step is built from: native, or portable (the same bits everywhere).

Portable arithmetic uses nothing that IEEE 754 leaves open: addition, subtraction, multiplication and division, each rounded
on its own (no fused multiply-add, since tensors have none), integer operations, and two functions made of them: an
exponential, and a square root that is corrected until it is the correctly rounded one. Results that could become
subnormal are set to zero, since devices differ in flushing those.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

Unary = Callable[[Tensor], Tensor]

GRADIENT_FLOOR = 2.0**-50
"""Smallest portable gradient: its square, times a rate of at least 2⁻²⁴, is a normal float32."""
MOMENT_FLOOR = 2.0**-100
"""Smallest portable moment: what it is multiplied with leaves it a normal float32."""
LARGEST_LOGIT = 87.0
"""exp(±87) is a normal float32."""

_LOG2_E = 1.4426950408889634
# ln 2 in two parts: the first has nine significant bits, so that its product with an exponent is exact.
LN2_HIGH = 0.693359375
LN2_LOW = -0.000212194440055
# (e^r − 1 − r)/r² on |r| ≤ ln 2 / 2, highest power first: minimax in r² times the error (reweighted least squares, the last
# coefficient held at 0.5). It leaves an error of 0.054 ulp of e^r.
_EXP_POLYNOMIAL = (0.00139417494459, 0.00836876730292, 0.0416663898746, 0.166665202491, 0.5)


class Arithmetic(NamedTuple):
    """The functions in which executors differ: float32 tensors in, float32 tensors of the same shape out."""

    sigmoid: Unary
    sqrt: Unary
    settle_gradient: Unary
    settle_moment: Unary


def arithmetic(name: str, device: torch.device, *, compiled: bool = False) -> Arithmetic:
    """The arithmetic of a problem for one executor.

    In portable arithmetic only the way to the correctly rounded square root differs: Inductor's C++ uses the
    processor's own, which is; ATen's on the CPU may be a vendor library's, which is not, so it goes through float64; other devices
    get the correction in float32, as they may lack float64 (MPS) or round the root approximately (Triton).
    """
    if name == "native":
        return NATIVE
    if device.type != "cpu":
        return PORTABLE
    return PORTABLE._replace(sqrt=torch.sqrt if compiled else sqrt_through_float64)


def portable_exp(x: Tensor) -> Tensor:
    """e^x for |x| ≤ 87, within 1 ulp: x = n·ln 2 + r, a polynomial in r, and 2^n put together from integer bits."""
    n = torch.round(x * _LOG2_E)
    r = x - n * LN2_HIGH - n * LN2_LOW
    return (polynomial(r, _EXP_POLYNOMIAL) * (r * r) + r + 1.0) * _power_of_two(n.to(torch.int32))


def polynomial(x: Tensor, coefficients: tuple[float, ...]) -> Tensor:
    """A polynomial at x, its coefficients from the highest power on, by Horner's rule."""
    p = torch.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        p = p * x + coefficient
    return p


def portable_sigmoid(z: Tensor) -> Tensor:
    """σ(z) = 1/(1 + e^(−z)), z limited to ±87."""
    return 1.0 / (1.0 + portable_exp(torch.clamp(-z, -LARGEST_LOGIT, LARGEST_LOGIT)))


def sqrt_through_float64(x: Tensor) -> Tensor:
    """√x, correctly rounded: a float64 root is closer to it than any midpoint of two float32 numbers can be."""
    return torch.sqrt(x.to(torch.float64)).to(torch.float32)


def sqrt_in_float32(x: Tensor) -> Tensor:
    """√x, correctly rounded from a root within 1 ulp, for x = 0 or normal, by float32 operations alone.

    x is scaled by a power of four to [1, 4). There the root s lies in [1, 2), one ulp is u = 2⁻²³, and s is moved by one where the
    exact residual x − s² (Dekker's product, 1971) says that the midpoint between s and its neighbour has been passed.
    """
    exponent = ((x.view(torch.int32) >> 23) - 127) & ~1
    scaled = x * _power_of_two(-exponent)
    s = torch.sqrt(scaled)
    residual = _minus_square(scaled, s)
    u = 2.0**-23
    s = torch.where(residual > s * u, s + u, torch.where(residual <= -(s * u), s - u, s))
    root = torch.clamp(s, min=1.0) * _power_of_two(exponent >> 1)
    return torch.where(x == 0.0, x, root)


def _minus_square(x: Tensor, s: Tensor) -> Tensor:
    """x − s² for s close to √x, exact: Veltkamp's split of s, then the error of the product s·s."""
    t = s * 4097.0
    high = t - (t - s)
    low = s - high
    square = s * s
    error = (high * high - square) + 2.0 * high * low + low * low
    return (x - square) - error


def _power_of_two(n: Tensor) -> Tensor:
    """2^n for int32 n in [−126, 127], from the bits of the exponent."""
    return ((n + 127) << 23).view(torch.float32)


def _settled(floor: float) -> Unary:
    def settle(x: Tensor) -> Tensor:
        return torch.where(x.abs() < floor, 0.0, x)

    return settle


def _unchanged(x: Tensor) -> Tensor:
    return x


NATIVE = Arithmetic(torch.sigmoid, torch.sqrt, _unchanged, _unchanged)
PORTABLE = Arithmetic(portable_sigmoid, sqrt_in_float32, _settled(GRADIENT_FLOOR), _settled(MOMENT_FLOOR))
