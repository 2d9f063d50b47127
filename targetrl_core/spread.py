"""How rounding errors spread: linear error propagation through the step, for the oracle to carry along.

Every float32 operation adds an error of about one ulp; errors of different operations are independent, so their variances add, and the
step's derivatives carry them on.
"""

from typing import NamedTuple

import torch
from torch import Tensor


def float32_ulp(value: Tensor) -> Tensor:
    """Distance between neighbouring float32 numbers at |value|, of float64 tensors; the smallest normal's below it."""
    # The exponent's bits alone are the power of two below |value|.
    binade = (value.contiguous().view(torch.int64) & 0x7FF0000000000000).view(torch.float64)
    return binade.clamp(min=2.0**-126) * 2.0**-23


class Slope(NamedTuple):
    """The gradient dL/dz of a policy, its derivative by z, and what rounding within one step does to it; [N] each."""

    gradient: Tensor
    derivative: Tensor
    error: Tensor


class Spread:
    """Covariances of the errors of (weight, bias, m, v), where m and v are the bias's; the weight's are x and x² times these.

    ``self["wb"]`` is the covariance of the errors of weight and bias, [N], and so on; keys are in the order w, b, m, v.
    """

    def __init__(self, n: int) -> None:
        self.p = {a + b: torch.zeros(n, dtype=torch.float64) for i, a in enumerate("wbmv") for b in "wbmv"[i:]}

    def __getitem__(self, pair: str) -> Tensor:
        return self.p[pair]

    def with_logit(self, x: Tensor) -> dict[str, Tensor]:
        """Covariances of the error of z = w·x + b with those of w, b, m, v and itself."""
        p = self.p
        zw, zb = x * p["ww"] + p["wb"], x * p["wb"] + p["bb"]
        return {"w": zw, "b": zb, "m": x * p["wm"] + p["bm"], "v": x * p["wv"] + p["bv"], "z": x * zw + zb}

    def sgd(self, slope: Slope, x: Tensor, lr: Tensor, error: dict[str, Tensor]) -> None:
        """Carry the errors over b − lr·g and w − lr·x·g."""
        p, g = self.p, self._with_gradient(slope, x)
        p["ww"] = p["ww"] - 2.0 * lr * x * g["w"] + (lr * x) ** 2 * g["g"] + error["weight"] ** 2
        p["wb"] = p["wb"] - lr * g["w"] - lr * x * g["b"] + lr**2 * x * g["g"]
        p["bb"] = p["bb"] - 2.0 * lr * g["b"] + lr**2 * g["g"] + error["bias"] ** 2

    def _with_gradient(self, slope: Slope, x: Tensor) -> dict[str, Tensor]:
        z, d = self.with_logit(x), slope.derivative
        return {key: d * z[key] for key in "wbmv"} | {"g": d**2 * z["z"] + slope.error**2}

    def moments(self, slope: Slope, x: Tensor, beta: tuple[Tensor, Tensor], error: dict[str, Tensor]) -> None:
        """Carry the errors over m' = beta1·m + (1 − beta1)·g and v' = beta2·v + (1 − beta2)·g²."""
        p, g, (b1, b2) = self.p, self._with_gradient(slope, x), beta
        c1, h = 1.0 - b1, 2.0 * (1.0 - b2) * slope.gradient
        curvature = (1.0 - b2) * g["g"]  # of g², which counts where the error is as large as g
        mv = b1 * b2 * p["mv"] + b1 * h * g["m"] + c1 * b2 * g["v"] + c1 * h * g["g"]
        p["mm"] = b1**2 * p["mm"] + 2.0 * b1 * c1 * g["m"] + c1**2 * g["g"] + error["m_bias"] ** 2
        p["vv"] = b2**2 * p["vv"] + 2.0 * b2 * h * g["v"] + h**2 * g["g"] + error["v_bias"] ** 2 + 2.0 * curvature**2
        p["mv"] = mv
        for key in "wb":
            p[f"{key}m"] = b1 * p[f"{key}m"] + c1 * g[key]
            p[f"{key}v"] = b2 * p[f"{key}v"] + h * g[key]

    def move(self, by_weight: tuple[Tensor, Tensor], by_bias: tuple[Tensor, Tensor], error: dict[str, Tensor]) -> None:
        """Carry the errors over w − u(m', v') and b − u(m', v'), given the derivatives of each move by m' and v'."""
        p = self.p

        def with_move(by: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
            return {"m": by[0] * p["mm"] + by[1] * p["mv"], "v": by[0] * p["mv"] + by[1] * p["vv"]} | {
                key: by[0] * p[f"{key}m"] + by[1] * p[f"{key}v"] for key in "wb"
            }

        uw, ub = with_move(by_weight), with_move(by_bias)
        p["wb"] = p["wb"] - ub["w"] - uw["b"] + by_bias[0] * uw["m"] + by_bias[1] * uw["v"]
        p["ww"] = p["ww"] - 2.0 * uw["w"] + by_weight[0] * uw["m"] + by_weight[1] * uw["v"] + error["weight"] ** 2
        p["bb"] = p["bb"] - 2.0 * ub["b"] + by_bias[0] * ub["m"] + by_bias[1] * ub["v"] + error["bias"] ** 2
        for key, u in (("w", uw), ("b", ub)):
            p[f"{key}m"], p[f"{key}v"] = p[f"{key}m"] - u["m"], p[f"{key}v"] - u["v"]
