"""Portable arithmetic and `reinforce` once more, in NumPy alone, written from the specification: for comparison, bit by bit.

No line of the project is used here. Integers are uint64, numbers float32; every operation is rounded on its own.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
f32, u64 = np.float32, np.uint64
LOW = u64(0xFFFFFFFF)


def philox(counter: list[Array], key: list[int]) -> list[Array]:
    """Philox4x32-10 (Salmon and others, 2011): four words [N] for four words of counter [N] and two of key."""
    c, k = [np.asarray(word, u64) for word in counter], [u64(word) for word in key]
    for _ in range(10):
        left, right = u64(0xD2511F53) * c[0], u64(0xCD9E8D57) * c[2]
        c = [(right >> u64(32)) ^ c[1] ^ k[0], right & LOW, (left >> u64(32)) ^ c[3] ^ k[1], left & LOW]
        k = [(k[0] + u64(0x9E3779B9)) & LOW, (k[1] + u64(0xBB67AE85)) & LOW]
    return c


def polynomial(x: Array, coefficients: tuple[float, ...]) -> Array:
    """Horner's rule, highest power first."""
    p = np.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        p = p * x + f32(coefficient)
    return p


def logarithm(u: Array, coefficients: tuple[float, ...]) -> Array:
    """ln u for u in [2^-24, 1]."""
    shifted = u.view(np.int32) + np.int32(0x3F800000 - 0x3F3504F3)
    e = ((shifted >> np.int32(23)) - np.int32(127)).astype(f32)
    f = ((shifted & np.int32(0x7FFFFF)) + np.int32(0x3F3504F3)).view(f32) - f32(1)
    square = f * f
    y = f * square * polynomial(f, coefficients)
    return f + (y + e * f32(-0.000212194440055) - f32(0.5) * square) + e * f32(0.693359375)


def normals(words: list[Array], log: tuple[float, ...], sin: tuple[float, ...], cos: tuple[float, ...]) -> list[Array]:
    """Four normals [N] of four words (Box and Muller, 1958)."""
    values = []
    for radial, angular in ((words[0], words[1]), (words[2], words[3])):
        u = ((radial >> u64(8)) + u64(1)).astype(f32) * f32(2.0**-24)
        radius = np.sqrt(f32(-2) * logarithm(u, log))
        x = (((angular & u64(0x3FFFFFFF)) >> u64(6)).astype(f32) - f32(2.0**23)) * (f32(1.57079637) * f32(2.0**-24))
        square = x * x
        s = x * square * polynomial(square, sin) + x
        c = square * square * polynomial(square, cos) - f32(0.5) * square + f32(1)
        quarter = (angular >> u64(30)).astype(np.int64)
        values += [radius * np.choose(quarter, [c, -s, -c, s]), radius * np.choose(quarter, [s, c, -s, -c])]
    return values


def sigmoid(z: Array) -> Array:
    """σ in portable arithmetic."""
    x = np.clip(-z, f32(-87), f32(87))
    n = np.rint(x * f32(1.4426950408889634))
    r = x - n * f32(0.693359375) - n * f32(-0.000212194440055)
    p = polynomial(r, (0.00139417494459, 0.00836876730292, 0.0416663898746, 0.166665202491, 0.5))
    power = ((n.astype(np.int32) + np.int32(127)) << np.int32(23)).view(f32)
    return f32(1) / (f32(1) + (p * (r * r) + r + f32(1)) * power)


def settled(value: Array, floor: float) -> Array:
    """Zero where it is so small that devices differ."""
    return np.where(np.abs(value) < f32(floor), f32(0), value)


def reinforce(weight: Array, bias: Array, seeds: Array, polynomials: dict[str, tuple[float, ...]], **c: Any) -> dict[str, Array]:  # noqa: ANN401
    """Train policies with x = 1 and Adam; their state tensors.

    Args:
        weight: [N] float32, as ``bias``.
        bias: where the policies begin.
        seeds: of the policies, [N] uint64.
        polynomials: coefficients of log, sin and cos.
        c: steps, samples, baseline (True or False), noise_seed, and the constants as Python floats.
    """
    weight, bias = weight.copy(), bias.copy()
    m, v, baseline = np.zeros_like(weight), np.zeros_like(weight), np.zeros_like(weight)
    rate1, rate2, rate3 = f32(1 - c["beta1"]), f32(1 - c["beta2"]), f32(1 - c["baseline_decay"])
    k, target, sigma = f32(c["k"]), f32(c["target"]), f32(c["sigma"])
    score_scale, share = f32(1 / (c["samples"] * c["sigma"])), f32(1 / c["samples"])
    for t in range(c["steps"]):
        o = sigmoid(weight + bias)
        scores, rewards = np.zeros_like(o), np.zeros_like(o)
        for j in range(c["samples"]):
            step, block = np.full_like(seeds, t), np.full_like(seeds, j // 4)
            words = philox([seeds & LOW, seeds >> u64(32), step, block], [c["noise_seed"] & 0xFFFFFFFF, c["noise_seed"] >> 32])
            epsilon = normals(words, polynomials["log"], polynomials["sin"], polynomials["cos"])[j % 4]
            reward = f32(1) - k * np.abs(sigma * epsilon + o - target)
            score = (reward - baseline if c["baseline"] else reward) * epsilon
            scores, rewards = scores + score, rewards + reward
        g = settled(-((scores * score_scale) * (o * (f32(1) - o))), 2.0**-50)
        if c["baseline"]:
            baseline = settled(baseline + (rewards * share - baseline) * rate3, 2.0**-100)
        m = settled(m + (g - m) * rate1, 2.0**-100)
        v = settled(v + (g * g - v) * rate2, 2.0**-100)
        second = np.sqrt(-np.expm1((t + 1) * np.log(c["beta2"])))
        lr = f32(c["lr"]) * f32(second / -np.expm1((t + 1) * np.log(c["beta1"])))
        move = lr * (m / (np.sqrt(v) + f32(c["eps"]) * f32(second)))
        weight, bias = weight - move, bias - move
    return {"weight": weight, "bias": bias, "m_weight": m, "v_weight": v} | ({"baseline": baseline} if c["baseline"] else {})
