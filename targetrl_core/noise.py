"""Noise that depends on nothing but where it belongs: standard normal numbers keyed by noise seed, policy, step and sample.

Sample j of step t of the policy of seed s is normal j mod 4 of a block of four random words,

    Philox4x32-10, counter (s, s >> 32, t, j div 4), key (noise seed, noise seed >> 32), 32 bits each,

so every variant and device sees the same noise, for any population, chunk or shard. Philox is that of Salmon, Moraes, Dror and Shaw,
2011; words become normals as Box and Muller, 1958, have it, by operations that IEEE 754 leaves no choice in: the bits are the same
everywhere, also where the arithmetic of the step is native. ``fused/noise.h`` is the same, operation by operation.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from targetrl_core.arithmetic import LN2_HIGH, LN2_LOW, Unary, polynomial

BLOCK = 4
"""Normals of a block."""

_MASK = 0xFFFFFFFF
_ROUNDS = 10
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)

# Polynomials, highest power first, minimax by reweighted least squares: (log(1 + f) − f + f²/2)/f³ on [√½ − 1, √2 − 1],
# (sin x − x)/x³ and (cos x − 1 + x²/2)/x⁴ as polynomials in x² on [−π/4, π/4].
_LOG = (0.067466408, -0.116756521, 0.11888162, -0.124055892, 0.142195523, -0.166679963, 0.200021192, -0.250000089, 0.333333135)
_SIN = (-0.000195152839, 0.0083321603, -0.166666552)
_COS = (2.44331568e-05, -0.00138873165, 0.0416666456)
_SQRT_HALF = 0x3F3504F3
"""The bits of √½ in float32."""
_MIDDLE = 2.0**23
_ANGLE = 1.57079637 * 2.0**-24
"""The quarter turn, float32's nearest to π/2, in 2²⁴ parts."""


class Words(NamedTuple):
    """Four unsigned 32-bit words, as int64 tensors that broadcast."""

    a: Tensor
    b: Tensor
    c: Tensor
    d: Tensor


def philox(counter: Words, key: tuple[Tensor, Tensor]) -> Words:
    """Philox4x32-10: four random words for each counter, under a key of two words."""
    a, b, c, d = counter
    k0, k1 = key
    for _ in range(_ROUNDS):
        first, second = a * _MULTIPLIERS[0], c * _MULTIPLIERS[1]
        a, b, c, d = _high(second) ^ b ^ k0, second & _MASK, _high(first) ^ d ^ k1, first & _MASK
        k0, k1 = (k0 + _WEYL[0]) & _MASK, (k1 + _WEYL[1]) & _MASK
    return Words(a, b, c, d)


def noise(seeds: Tensor, draw: Tensor, samples: int, sqrt: Unary) -> Iterator[Tensor]:
    """The noise of a step, sample by sample.

    Args:
        seeds: of the policies, [N] int64.
        draw: step, and both words of the key: [4] int64, the last one unused; or [steps, 4] for one policy's seed, [1].
        samples: how many there are.
        sqrt: a correctly rounded root.

    Returns:
        ``samples`` tensors, [N] float32, or [steps].
    """
    low, high = seeds & _MASK, (seeds >> 32) & _MASK
    for block in range(math.ceil(samples / BLOCK)):
        step = draw[..., 0]
        words = philox(Words(low, high, step, torch.full_like(step, block)), (draw[..., 1], draw[..., 2]))
        yield from _normals(words, min(BLOCK, samples - block * BLOCK), sqrt)


def draw_table(noise_seed: int, first: int, steps: int, device: torch.device) -> Tensor:
    """What ``noise`` takes for steps ``first`` … ``first + steps − 1``: [steps, 4] int64."""
    # Rows start 16 bytes apart: Inductor copies inputs that are not aligned so.
    table = torch.zeros(steps, 4, dtype=torch.int64, device="cpu")
    table[:, 0] = torch.arange(first, first + steps, dtype=torch.int64, device="cpu") & _MASK
    table[:, 1], table[:, 2] = key_words(noise_seed)
    return table.to(device)


def key_words(noise_seed: int) -> tuple[int, int]:
    """The key that belongs to a noise seed."""
    return noise_seed & _MASK, (noise_seed >> 32) & _MASK


def _high(product: Tensor) -> Tensor:
    """The high word of a product of two, which has wrapped around at 2⁶⁴."""
    return (product >> 32) & _MASK


def _normals(words: Words, count: int, sqrt: Unary) -> Iterator[Tensor]:
    """The first ``count`` of a block's normals: cosine and sine of an angle by each of two radii."""
    for pair, (radial, angular) in enumerate(((words.a, words.b), (words.c, words.d))):
        if count > 2 * pair:
            radius = sqrt(-2.0 * _log(((radial >> 8) + 1).to(torch.float32) * 2.0**-24))
            cosine, sine = _circle(angular)
            yield radius * cosine
            if count > 2 * pair + 1:
                yield radius * sine


def _log(u: Tensor) -> Tensor:
    """ln u of u in [2⁻²⁴, 1]: u = 2^e·m with m in [√½, √2), and a polynomial in m − 1."""
    shifted = u.view(torch.int32) + (0x3F800000 - _SQRT_HALF)
    e = ((shifted >> 23) - 127).to(torch.float32)
    f = ((shifted & 0x7FFFFF) + _SQRT_HALF).view(torch.float32) - 1.0
    square = f * f
    y = f * square * polynomial(f, _LOG)
    return f + (y + e * LN2_LOW - 0.5 * square) + e * LN2_HIGH


def _circle(word: Tensor) -> tuple[Tensor, Tensor]:
    """Cosine and sine of an angle: the top two bits of a word are its quarter turn, the next 24 where it lies in that."""
    x = (((word & 0x3FFFFFFF) >> 6).to(torch.float32) - _MIDDLE) * _ANGLE
    square = x * x
    sine = x * square * polynomial(square, _SIN) + x
    cosine = square * square * polynomial(square, _COS) - 0.5 * square + 1.0
    odd, upper = (word >> 30) & 1, (word >> 31) & 1
    across, along = torch.where(odd == 1, cosine, sine), torch.where(odd == 1, sine, cosine)
    return along * _sign(odd ^ upper), across * _sign(upper)


def _sign(bit: Tensor) -> Tensor:
    return (1 - 2 * bit).to(torch.float32)
