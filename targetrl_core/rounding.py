"""How far rounding may carry a float32 run from the oracle's path, which carries this along.

*Covariances*: every float32 operation adds an error of about one ulp; errors of different operations are independent, so their variances
add, and the step's derivatives carry them on (linear error propagation, exact to first order, whatever the constants and wherever the
policy begins). Errors that repeat from step to step add up as they are: two *neighbours* make them, and where a policy has settled, so
that its moves are lost in their own rounding, or moves by the same each time, weight and bias *drift*.
"""

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor

FACTOR = 3.0
"""The bound in units of the reach; honest variants stay below it, by results/bounds.json."""


def float32_ulp(value: Tensor) -> Tensor:
    """Distance between neighbouring float32 numbers at |value|, of float64 tensors; the smallest normal's below it."""
    # The exponent's bits alone are the power of two below |value|.
    binade = (value.contiguous().view(torch.int64) & 0x7FF0000000000000).view(torch.float64)
    return binade.clamp(min=2.0**-126) * 2.0**-23


class Slope(NamedTuple):
    """The gradient dL/dz of a policy and what moves it; [N] each.

    Attributes:
        gradient: dL/dz.
        derivative: of the gradient by z.
        error: what rounding within one step does to the gradient.
        by_baseline: derivative of the gradient by the baseline; None where there is none.
    """

    gradient: Tensor
    derivative: Tensor
    error: Tensor
    by_baseline: Tensor | None = None


Terms = dict[str, Tensor | float]
"""What is multiplied with the error of each variable, by its letter."""


class Covariances:
    """Covariances of the errors of weight, bias, their moments, the gradient g, and the baseline q where there is one.

    ``self["wb"]`` is the covariance of the errors of weight and bias, [N], and so on, the letters in the order of ``names``. m and v are
    the moments of the bias, M and V those of the weight where it has its own.
    """

    def __init__(self, n: int, names: str = "wbmvg") -> None:
        self.names = names
        self.p = {a + b: torch.zeros(n, dtype=torch.float64, device="cpu") for i, a in enumerate(names) for b in names[i:]}

    def __getitem__(self, pair: str) -> Tensor:
        return self.p[pair]

    def assign(self, target: str, terms: Terms, error: Tensor) -> None:
        """Let a variable become the sum of its terms, with a rounding error of its own: [N], one standard deviation."""
        with_others = {name: self._with(terms, name) for name in self.names if name != target}
        variance = self.variance_of(terms)
        for name, covariance in with_others.items():
            self.p[self._pair(target, name)] = covariance
        self.p[target + target] = variance + error**2

    def variance_of(self, terms: Terms) -> Tensor:
        """The variance of a sum of terms, [N]."""
        return _weighted((self._with(terms, name), factor) for name, factor in terms.items())

    def _with(self, terms: Terms, name: str) -> Tensor:
        """The covariance of a sum of terms and a variable."""
        return _weighted((self.p[self._pair(of, name)], factor) for of, factor in terms.items())

    def _pair(self, first: str, second: str) -> str:
        return first + second if self.names.index(first) <= self.names.index(second) else second + first

    def gradient(self, slope: Slope, x: Tensor) -> None:
        """Carry the errors over to the gradient, which the logit w·x + b decides, and the baseline."""
        terms: Terms = {"w": slope.derivative * x, "b": slope.derivative}
        if slope.by_baseline is not None:
            terms["q"] = slope.by_baseline
        self.assign("g", terms, slope.error)

    def sgd(self, x: Tensor, lr: Tensor, error: dict[str, Tensor]) -> None:
        """Carry the errors over b − lr·g and w − lr·x·g."""
        self.assign("w", {"w": 1.0, "g": -lr * x}, error["weight"])
        self.assign("b", {"b": 1.0, "g": -lr}, error["bias"])

    def moments(self, names: str, slope: Slope, x: Tensor | float, beta: tuple[Tensor, Tensor], error: tuple[Tensor, Tensor]) -> None:
        """Carry the errors over m' = beta1·m + (1 − beta1)·x·g and v' = beta2·v + (1 − beta2)·(x·g)², given the letters of both."""
        m, v = names[0], names[1]
        curvature = (1.0 - beta[1]) * self["gg"] * x**2  # of g², which counts where the error is as large as g
        self.assign(m, {m: beta[0], "g": (1.0 - beta[0]) * x}, error[0])
        by_gradient = 2.0 * (1.0 - beta[1]) * slope.gradient * x**2
        self.assign(v, {v: beta[1], "g": by_gradient}, torch.sqrt(error[1] ** 2 + 2.0 * curvature**2))

    def move(self, name: str, moments: str, by: tuple[Tensor, Tensor], error: Tensor) -> None:
        """Carry the errors over w − u(m', v'), given the letters of a parameter and its moments, and the move's derivatives by these."""
        m, v = moments[0], moments[1]
        self.assign(name, {name: 1.0, m: -by[0], v: -by[1]}, error)

    def baseline(self, x: Tensor, rate: Tensor, by_logit: Tensor, error: Tensor) -> None:
        """Carry the errors over q + rate·(r − q), given the derivative of the reward r by the logit w·x + b."""
        self.assign("q", {"q": 1.0 - rate, "w": rate * by_logit * x, "b": rate * by_logit}, error)


class Rounding:
    """What rounding may have done to a block of policies so far.

    Args:
        rows: the state tensors by name as they are by now, [3, N]: the policy and its neighbours.
        x: the policies' inputs, [N].
        moments: the letters of the moments of ``weight`` and ``bias``.
    """

    def __init__(self, rows: dict[str, Tensor], x: Tensor, moments: dict[str, str]) -> None:
        self.rows, self.x, self.moments = rows, x, moments
        letters = "wb" + "".join(sorted(set(moments.values()))) + "g" + "q" * ("baseline" in rows)
        self.covariances = Covariances(len(x), letters)
        self.largest = {name: tensor[0].abs() for name, tensor in rows.items()}
        self.drift = {name: torch.zeros(len(x), dtype=torch.float64, device="cpu") for name in ("weight", "bias")}
        self.moved = dict(self.drift)

    def reach(self, name: str) -> Tensor:
        """How far rounding may have carried a state tensor: one standard deviation, the neighbours' distances, and its drift; [N]."""
        of, _, parameter = name.partition("_")
        letter = "q" if name == "baseline" else name[0] if not parameter else self.moments[parameter]["mv".index(of)]
        reach = self.covariances[letter * 2].clamp(min=0.0).sqrt() + apart(self.rows[name])
        return reach + self.drift[name] if name in self.drift else reach

    def logit_reach(self, z: Tensor) -> Tensor:
        """The same of the logit, [N]."""
        variance = self.covariances.variance_of({"b": 1.0, "w": self.x})
        return variance.clamp(min=0.0).sqrt() + apart(z)

    def forward_reach(self, z: Tensor) -> Tensor:
        """The same of a logit that is computed from parameters of float32, [N]."""
        return self.logit_reach(z) + float32_ulp(self.largest["weight"]) * self.x.abs() + float32_ulp(self.largest["bias"])

    def forward_error(self, z: Tensor, o: Tensor) -> Tensor:
        """What rounding within one forward pass does to the output: one ulp of the largest term of z, and one of o."""
        terms = torch.stack(((self.rows["weight"][0] * self.x).abs(), self.rows["bias"][0].abs(), z.abs())).amax(0)
        return o * (1.0 - o) * float32_ulp(terms) + float32_ulp(o)

    def grow(self, name: str, value: Tensor) -> None:
        """Keep the largest magnitude on the path of a state tensor."""
        self.largest[name] = torch.maximum(self.largest[name], value.abs())

    def note_drift(self, moves: dict[str, Tensor], ulps: dict[str, Tensor], errors: dict[str, Tensor]) -> None:
        """Add up how far both parameters drift, given their moves, how far apart their numbers are, and what the gradient's rounding does.

        A policy has settled when a move is smaller than what its parameter can be changed by: from then on it is made or not, as rounding
        has it, and so is the other. A move that is the same as the last, and ends midway between two numbers, is rounded to either of them.
        """
        settled = (moves["weight"].abs() <= ulps["weight"]) | (moves["bias"].abs() <= ulps["bias"])
        for name, move in moves.items():
            ulp, error = ulps[name], errors[name] + 3.0 * float32_ulp(move)
            repeated = (move - self.moved[name]).abs() <= error
            midway = (((move / ulp).frac().abs() - 0.5).abs() * ulp <= error) & (error <= 0.25 * ulp)
            self.drift[name] += torch.where(settled, 0.5 * ulp + errors[name], torch.where(repeated & midway, ulp, 0.0))
            self.moved[name] = move


def apart(rows: Tensor) -> Tensor:
    """How far both neighbours are from the policy, [N], of [3, N]."""
    return (rows[1:] - rows[0]).abs().sum(0)


def _weighted(parts: Iterable[tuple[Tensor, Tensor | float]]) -> Tensor:
    """The sum of tensors [N], each times its factor."""
    total: Tensor | None = None
    for tensor, factor in parts:
        if total is None:
            total = tensor * factor
        else:
            total = torch.addcmul(total, tensor, factor) if isinstance(factor, Tensor) else total.add(tensor, alpha=factor)
    if total is None:
        raise ValueError("a sum has at least one term")
    return total
