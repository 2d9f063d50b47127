"""The kernel of `numba`: what it compiles, in a module of its own as numba is imported only where it is used.

numba compiles a kernel for the types of its arguments: state and history that are None, and constants that are numbers or arrays, each
give code of their own, without a branch that asks.
"""

import math
from typing import Any

import numpy as np
from numba import njit, prange, types
from numba.extending import overload

BLOCK = 512
"""Policies that take a step together: a loop over them is vectorised, and their state stays in the first-level cache for all steps."""

ONE = np.float32(1.0)
LARGEST_LOGIT = np.float32(87.0)
LOG2_E = np.float32(1.4426950408889634)
# ln 2 in two parts, the first of nine significant bits, and (e^r − 1 − r)/r² on |r| ≤ ln 2 / 2, highest power first.
LN2_HIGH, LN2_LOW = np.float32(0.693359375), np.float32(-0.000212194440055)
P0, P1, P2, P3, P4 = (np.float32(p) for p in (0.00139417494459, 0.00836876730292, 0.0416663898746, 0.166665202491, 0.5))

# A fused multiply-add rounds once where two operations round twice: the only liberty taken, worth a third of the speed.
OPTIONS: dict[str, Any] = {"fastmath": {"contract"}, "error_model": "numpy"}


def _exp(x):
    """e^x by a polynomial and the bits of 2^n: calls of the C library would keep the loop from being vectorised."""
    x = min(max(x, -LARGEST_LOGIT), LARGEST_LOGIT)
    n = np.rint(x * LOG2_E)
    r = x - n * LN2_HIGH - n * LN2_LOW
    p = P0 * r + P1
    p = p * r + P2
    p = p * r + P3
    p = p * r + P4
    power = np.int32((np.int32(n) + np.int32(127)) << np.int32(23)).view(np.float32)
    return (p * (r * r) + r + ONE) * power


def _detached(o, target, k):
    return (k * abs(o - target) - ONE) * (ONE - o)


def _pathwise(o, target, k):
    return k * np.sign(o - target) * (o * (ONE - o))


def _moved(m, v, g, rate1, rate2, lr, eps):
    """Both moments after a gradient, and how far the parameter moves."""
    m += (g - m) * rate1
    v += (g * g - v) * rate2
    return m, v, lr * (m / (math.sqrt(v) + eps))


def _at(_value, _part, _i):
    """The value of a constant of policy i of a part: numba puts one of the two below in its place."""
    raise NotImplementedError


@overload(_at)  # not inline="always": numba 0.68 then takes eps for 0
def _compiled_at(value, part, i):
    if isinstance(value, types.Array):
        return lambda value, part, i: value[part.start + i]
    return lambda value, part, i: value


exp, moved = njit(**OPTIONS)(_exp), njit(**OPTIONS)(_moved)
GRADIENTS = {"detached": njit(**OPTIONS)(_detached), "pathwise": njit(**OPTIONS)(_pathwise)}


def compiled(objective: str) -> Any:
    """The kernel of an objective: trains a state in place, for as many steps as ``rows`` has, or ``steps`` under SGD."""
    gradient = GRADIENTS[objective]

    # numba leaves out a branch on None where an argument itself is None, not where a field of one is: so they are many.
    def kernel(
        weight, bias, m_weight, v_weight, m_bias, v_bias, x, target, k, lr, rate1, rate2, eps, steps, rows, logits, outputs
    ):  # fmt: skip
        n = weight.shape[0]
        for block in prange((n + BLOCK - 1) // BLOCK):
            # A loop from 0 over views: of an index that begins elsewhere numba would ask whether it is negative.
            part = slice(block * BLOCK, min((block + 1) * BLOCK, n))
            w, b = weight[part], bias[part]
            if m_weight is not None:
                mw, vw = m_weight[part], v_weight[part]
            if m_bias is not None:
                mb, vb = m_bias[part], v_bias[part]
            for t in range(steps):
                if m_weight is not None:
                    scale, root = rows[t, 0], rows[t, 1]
                if logits is not None:
                    zs, os = logits[t, part], outputs[t, part]
                for i in range(w.shape[0]):
                    z = w[i] * _at(x, part, i) + b[i]
                    o = ONE / (ONE + exp(-z))
                    if logits is not None:
                        zs[i], os[i] = z, o
                    g = gradient(o, _at(target, part, i), _at(k, part, i))
                    if m_weight is None:
                        w[i] -= _at(lr, part, i) * (g * _at(x, part, i))
                        b[i] -= _at(lr, part, i) * g
                    else:
                        rate, floor = _at(lr, part, i) * scale, _at(eps, part, i) * root
                        mw[i], vw[i], move = moved(mw[i], vw[i], g * _at(x, part, i), rate1, rate2, rate, floor)
                        w[i] -= move
                        if m_bias is not None:
                            mb[i], vb[i], move = moved(mb[i], vb[i], g, rate1, rate2, rate, floor)
                        b[i] -= move

    return njit(parallel=True, **OPTIONS)(kernel)
