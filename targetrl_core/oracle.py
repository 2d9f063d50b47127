"""The oracle: the step in float64, written on its own; how far rounding may carry a float32 run from it is followed beside it.

It shares no code with the variants. Beside the path of each policy go two *neighbours*: one is trained under constants rounded to
float32, its state rounded after every step, which updates too small for their parameter do not survive, and what comes below the smallest
normal number is zero there, as on devices that flush; the other's outputs are always half an ulp too high, as those of a policy are that
hardly moves, and never below e^−87, where a sigmoid may end. What else rounding does is in ``rounding.py``, and the listing's closed
forms are in ``listing/oracle_gradients.py``.

Where float32 cannot hold what a step computes, nothing follows from what becomes of it: such a policy's course is not determined.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor
from torch.nn.functional import hardshrink

from targetrl_core.arithmetic import GRADIENT_FLOOR, MOMENT_FLOOR
from targetrl_core.listing.oracle_gradients import Draws, RewardSlope, closed_gradient, closed_slope
from targetrl_core.listing.outcomes import AT_TARGET
from targetrl_core.population import Population
from targetrl_core.problem import CONSTANTS, Problem, as_float64
from targetrl_core.rounding import FACTOR, Rounding, Slope, apart, float32_ulp

SENSITIVE = 0.01
"""Where rounding may have carried the logit this far, the policy amplifies errors so much that its course is not determined."""

FAR = 20.0
"""A logit beyond it may be off in proportion: there σ is flat, and what bends the course is as far away."""

SMALLEST = 2.0**-126
"""The smallest normal float32: some devices take what is smaller for zero, and of what is not, ulps say nothing."""

LARGEST = 2.0**126
"""A quarter of what float32 can hold: sums and differences of a few numbers below it do not overflow, in any order."""

LEAST_OUTPUT = math.exp(-87.0)
"""A sigmoid may limit its logit to where the exponential is a normal number."""

_BLOCK = 1 << 17  # policies at a time: few enough to stay in a cache, enough to keep two threads busy


@dataclass(frozen=True)
class Reference:
    """What the oracle says of N policies. Everything is on the CPU.

    Attributes:
        state: the trained state tensors by name, [N] float64.
        reach: how far rounding may carry each, one standard deviation of it and one ulp more; [N] float64.
        ulp: one float32 ulp of the largest magnitude on the path of each, [N] float64.
        logit: z after the last update, [N] float64.
        logit_reach: how far rounding may carry it, [N] float64.
        first_step: first step whose output is within 0.02 of the target, ``steps`` where none is; [N] int32.
        undetermined: whether the policy comes so close to a kink that either branch is right, or amplifies errors so much that its course
            is not determined; [N] bool.
        first_unsure: whether ``first_step`` hangs on a rounding error; [N] bool.
        overflowing: whether float32 may overflow on the policy's way, so that NaN is right as well: undetermined, too; [N] bool.
    """

    state: dict[str, Tensor]
    reach: dict[str, Tensor]
    ulp: dict[str, Tensor]
    logit: Tensor
    logit_reach: Tensor
    first_step: Tensor
    undetermined: Tensor
    first_unsure: Tensor
    overflowing: Tensor

    def slice(self, start: int, stop: int) -> Self:
        """What the oracle says of policies ``start`` … ``stop − 1``."""

        def part(value: Any) -> Any:  # noqa: ANN401 — a tensor, or tensors by name
            return {name: part(tensor) for name, tensor in value.items()} if isinstance(value, dict) else value[start:stop]

        return type(self)(**{field.name: part(getattr(self, field.name)) for field in fields(self)})


class LogitRow(NamedTuple):
    """Before an update, [N] each: the logits, how far rounding may carry them, and which policies are undetermined so far."""

    logit: Tensor
    logit_reach: Tensor
    undetermined: Tensor


def reference(problem: Problem, population: Population) -> Reference:
    """Train ``population`` in float64."""
    problem.check_policies(population.n)
    population = population.to("cpu")
    parts = []
    for start in range(0, population.n, _BLOCK):
        stop = min(start + _BLOCK, population.n)
        parts.append(_Path(problem.take(slice(start, stop)), population.slice(start, stop)).follow())
    return _joined(parts)


def course(problem: Problem, population: Population) -> Iterator[LogitRow]:
    """What the oracle has of ``population``, which is on the CPU, before each update."""
    problem.check_policies(population.n)
    path = _Path(problem, population)
    for z in path.course():
        yield LogitRow(z[0], path.rounding.forward_reach(z), path.undetermined)


def _joined(parts: list[Reference]) -> Reference:
    def joined(name: str) -> Any:  # noqa: ANN401 — a tensor, or tensors by name
        values = [getattr(part, name) for part in parts]
        if isinstance(values[0], dict):
            return {key: torch.cat([value[key] for value in values]) for key in values[0]}
        return torch.cat(values)

    return Reference(**{field.name: joined(field.name) for field in fields(Reference)})


class _Path:
    """One block of policies on their way: row 0 of every [3, N] tensor is the policy, rows 1 and 2 are its neighbours."""

    def __init__(self, problem: Problem, population: Population) -> None:
        self.problem = problem
        self.c = {name: self.constant(name, population.n) for name in CONSTANTS}
        self.rate1, self.rate2 = 1.0 - as_float64(problem.beta1), 1.0 - as_float64(problem.beta2)
        for name, rate in (("beta1", self.rate1), ("beta2", self.rate2)):
            self.c[name][1] = _furthest(self.c[name][0], (self.c[name][1], 1.0 - rate.to(torch.float32).double()))
        self.age = population.age
        # With x = 1 both parameters have the same gradients: their moments, equal at the start, are computed once.
        self.shared = problem.unit_input and population.shares_moments
        state = {name: tensor.to(torch.float64) for name, tensor in population.tensors().items()}
        if problem.keeps_baseline:
            state.setdefault("baseline", torch.zeros(population.n, dtype=torch.float64, device="cpu"))
        self.seeds = population.seed_tensor(torch.device("cpu"))
        self.s = {name: tensor.expand(3, -1).clone() for name, tensor in state.items()}
        moments = {"bias": "mv", "weight": "mv" if self.shared or problem.optimizer == "sgd" else "MV"}
        self.rounding = Rounding(self.s, self.c["x"][0], moments)
        self.undetermined = torch.zeros(population.n, dtype=torch.bool, device="cpu")
        self.first_step = torch.full((population.n,), problem.steps, dtype=torch.int32, device="cpu")
        self.first_unsure = torch.zeros(population.n, dtype=torch.bool, device="cpu")
        self.overflowing = torch.zeros(population.n, dtype=torch.bool, device="cpu")
        self.least: dict[str, _Least] = {}
        portable = problem.arithmetic == "portable"
        self.least_gradient, self.least_moment = (GRADIENT_FLOOR, MOMENT_FLOOR) if portable else (SMALLEST, SMALLEST)

    def constant(self, name: str, n: int) -> Tensor:
        """The constant for each row, [3, N]: row 1 has it rounded to float32."""
        value = as_float64(getattr(self.problem, name)).expand(n)
        return torch.stack((value, value.to(torch.float32).double(), value))

    def follow(self) -> Reference:
        for _logits in self.course():
            pass
        return self.result()

    def course(self) -> Iterator[Tensor]:
        """Update after update; what is yielded before each are the logits, [3, N]."""
        for step in range(self.problem.steps):
            term = self.s["weight"] * self.c["x"]
            z = term + self.s["bias"]
            self.fits(term[1:], z[1:])
            o = torch.sigmoid(z)
            o[1] = flushed(o[1])
            o[2] = (o[2] + 0.5 * float32_ulp(o[2])).clamp(min=LEAST_OUTPUT)
            error = self.rounding.forward_error(z[0], o[0])
            carried = self.note_sensitive(z)
            yield z
            reach = carried * o[0] * (1.0 - o[0]) + FACTOR * error
            self.note_first(step, o[0], reach)
            self.update(self.descent(step, o, error, reach), o[0], reach, self.age + step + 1)
            for tensor in self.s.values():
                tensor[1] = tensor[1].to(torch.float32)

    def settle(self, rows: Tensor, least: float = SMALLEST) -> Tensor:
        """Values of a step, [3, N], of which the neighbour that flushes has no smaller ones; where those of either overflow is noted."""
        rows[1] = flushed(rows[1], least)
        self.fits(rows[1:])
        return rows

    def fits(self, *values: Tensor) -> None:
        """Where float32 may overflow, by values [N] or those of both neighbours, [2, N], the course is not determined."""
        for value in values:
            low, high = value.aminmax()
            if not bool((high <= LARGEST) & (low >= -LARGEST)):  # NaN is no number that fits
                self.overflowing |= ~(value.abs() <= LARGEST).reshape(-1, value.shape[-1]).all(0)
                self.undetermined |= self.overflowing

    def result(self) -> Reference:
        if self.shared and self.problem.optimizer == "adam":
            for moment in ("m", "v"):
                self.s[f"{moment}_bias"] = self.s[f"{moment}_weight"]
                self.rounding.largest[f"{moment}_bias"] = self.rounding.largest[f"{moment}_weight"]
        z = self.s["weight"] * self.c["x"] + self.s["bias"]
        self.note_sensitive(z)
        ulp = {name: float32_ulp(self.rounding.largest[name]) for name in self.s}
        return Reference(
            state={name: tensor[0] for name, tensor in self.s.items()},
            reach={name: self.rounding.reach(name) + ulp[name] for name in self.s},
            ulp=ulp,
            logit=z[0],
            logit_reach=self.rounding.forward_reach(z),
            first_step=self.first_step,
            undetermined=self.undetermined,
            first_unsure=self.first_unsure,
            overflowing=self.overflowing,
        )

    def note_sensitive(self, z: Tensor) -> Tensor:
        """How far rounding may have carried the logit, [N]; mark where that is so far that the course is not determined."""
        carried = FACTOR * self.rounding.logit_reach(z)
        self.undetermined |= ~(carried <= SENSITIVE * (z[0].abs() / FAR).clamp(min=1.0))  # where the variances have overflowed, too
        return carried

    def note_first(self, step: int, o: Tensor, reach: Tensor) -> None:
        """Keep the first step at target; mark where that, or the side of the kink, is within reach of a rounding error."""
        distance = (o - self.c["target"][0]).abs()
        undecided = self.first_step == self.problem.steps
        self.first_unsure |= undecided & ((distance - AT_TARGET).abs() <= reach)
        self.first_step[undecided & (distance <= AT_TARGET)] = step
        if self.problem.objective == "pathwise":
            self.undetermined |= distance <= reach

    def descent(self, step: int, o: Tensor, error: Tensor, reach: Tensor) -> "_Descent":
        """The gradient at outputs [3, N], and what is known of it."""
        if self.problem.objective != "reinforce":
            return _Descent(
                closed_gradient(self.problem, self.c, o, self.settle, self.fits), closed_slope(self.problem, self.c, o[0], error, reach)
            )
        baseline = self.s["baseline"] if self.problem.keeps_baseline else torch.zeros_like(o)
        draws = Draws(self.problem, self.c, self.seeds, self.age + step, baseline)
        estimate, rewards = draws.estimate(o)
        estimate_slope, reward_slope = draws.slopes(o[0], error, reach)
        if not self.problem.keeps_baseline:
            estimate_slope = estimate_slope._replace(by_baseline=None)
        return _Descent(estimate, estimate_slope, rewards, reward_slope)

    def update(self, descent: "_Descent", o: Tensor, reach: Tensor, t: int) -> None:
        gradient, slope, x, lr = self.settle(descent.gradient, self.least_gradient), descent.slope, self.c["x"], self.c["lr"]
        self.rounding.covariances.gradient(slope, x[0])
        if self.problem.optimizer == "sgd":
            self.follow_rewards(o, descent)
            moves = {"weight": self.settle(lr * self.settle(gradient * x, self.least_gradient)), "bias": self.settle(lr * gradient)}
            self.rounding.covariances.sgd(
                x[0], lr[0], self.apply(moves, {"weight": lr[0] * x[0].abs() * slope.error, "bias": lr[0] * slope.error})
            )
            return
        self.note_sign(slope, o, reach)
        self.moment_step(gradient, slope)
        self.follow_rewards(o, descent)
        by_bias = self.derivatives("bias" if not self.shared else "weight", t)
        by_weight = by_bias if self.shared else self.derivatives("weight", t)
        moves = {name: by.move for name, by in (("weight", by_weight), ("bias", by_bias))}
        rounding = self.apply(moves, {"weight": by_weight.by_m * x[0].abs() * slope.error, "bias": by_bias.by_m * slope.error})
        for name, by in (("weight", by_weight), ("bias", by_bias)):
            self.rounding.covariances.move(name[0], self.rounding.moments[name], (by.by_m, by.by_v), rounding[name] + by.bent)

    def note_sign(self, slope: Slope, o: Tensor, reach: Tensor) -> None:
        # Adam divides by √v: while v holds nothing larger than this gradient, the update is its sign times lr.
        if self.problem.objective != "pathwise":
            by_output = slope.derivative.abs() / (o * (1.0 - o)).clamp(min=2.0**-126)
            unsure = by_output * reach + FACTOR * slope.error
            if slope.by_baseline is not None:
                unsure = unsure + slope.by_baseline.abs() * FACTOR * self.rounding.reach("baseline")
            memory = torch.sqrt(self.c["beta2"][0] * self.s["v_weight" if self.shared else "v_bias"][0])
            self.undetermined |= (slope.gradient.abs() <= unsure) & (memory <= 2.0 * unsure)

    def moment_step(self, gradient: Tensor, slope: Slope) -> None:
        """Kingma and Ba, 2015, algorithm 1: the moments. The rates are those of float64, as torch.optim has them."""
        for parameter in ("weight",) if self.shared else ("weight", "bias"):
            g = self.settle(gradient * self.c["x"], self.least_gradient) if parameter == "weight" else gradient
            before = self.s[f"v_{parameter}"][0]
            m = self.moment_follows(f"m_{parameter}", self.c["beta1"], self.rate1, g)
            v = self.moment_follows(f"v_{parameter}", self.c["beta2"], self.rate2, self.settle(g * g))
            self.rounding.grow(f"m_{parameter}", self.rate1 * g[0])
            self.least[parameter] = self.least_moments(parameter, g, before, v)
            x = self.c["x"][0] if parameter == "weight" else 1.0
            rounding = (m + self.rate1 * float32_ulp(g[0]), v)
            self.rounding.covariances.moments(
                self.rounding.moments[parameter], slope, x, (self.c["beta1"][0], self.c["beta2"][0]), rounding
            )

    def least_moments(self, parameter: str, g: Tensor, before: Tensor, rounding: Tensor) -> "_Least":
        """Both moments where the gradient, [3, N], is as small as rounding may have made it, and so is v, which was ``before``."""
        x = self.c["x"][0].abs() if parameter == "weight" else 1.0
        reach = FACTOR * (self.rounding.covariances["gg"].clamp(min=0.0).sqrt() * x + apart(g))
        least = torch.sign(g[0]) * (g[0].abs() - reach).clamp(min=0.0)
        m = self.s[f"m_{parameter}"][0] + self.rate1 * (least - g[0])
        v = self.c["beta2"][0] * before + self.rate2 * least**2 - FACTOR * rounding
        return _Least(m, v.clamp(min=0.0), 2.0 * self.rate2 * g[0] * (least - g[0]) - FACTOR * rounding)

    def moment_follows(self, name: str, beta: Tensor, rate: Tensor, value: Tensor) -> Tensor:
        """Let a moment become beta times itself and (1 − beta) times a value, [3, N]; what rounding its own part comes to, [N]."""
        before = self.s[name]
        after = beta * before + rate * value
        # What is left of it may be a difference, before + rate·(value − before), whose error is one of the terms'.
        terms = torch.maximum(after[0].abs(), rate * before[0].abs())
        # The neighbour that flushes is not moved by less than a normal number.
        after[1] = before[1] + flushed(after[1] - before[1])
        self.s[name] = self.settle(after, self.least_moment)
        self.rounding.grow(name, after[0])
        return float32_ulp(terms)

    def follow_rewards(self, o: Tensor, descent: "_Descent") -> None:
        """Move the baseline towards the mean reward of this step."""
        if descent.rewards is None or descent.reward_slope is None or not self.problem.keeps_baseline:
            return
        rate = 1.0 - as_float64(self.problem.baseline_decay)
        self.s["baseline"] = self.s["baseline"] + rate * (descent.rewards - self.s["baseline"])
        self.rounding.grow("baseline", self.s["baseline"][0])
        rounding = rate * descent.reward_slope.error + float32_ulp(self.rounding.largest["baseline"])
        self.rounding.covariances.baseline(self.c["x"][0], rate.expand_as(o), descent.reward_slope.by_output * o * (1.0 - o), rounding)

    def derivatives(self, parameter: str, t: int) -> "_Move":
        """Adam's move of one parameter, and its derivatives by m and v."""
        m, v = self.s[f"m_{parameter}"], self.s[f"v_{parameter}"]
        bias_correction1, bias_correction2 = 1.0 - (1.0 - self.rate1) ** t, 1.0 - (1.0 - self.rate2) ** t
        root = torch.sqrt(v / bias_correction2)
        divisor = root + self.c["eps"]
        scale = self.c["lr"] / bias_correction1 / divisor
        # At v = 0 the moments have never moved, and have no error to carry.
        by_v = torch.where(v[0] > 0.0, scale[0] * m[0] / divisor[0] / (2.0 * root[0] * bias_correction2), 0.0)
        bent = self.bent(_Move(scale * m, scale[0], -by_v), parameter, root[0], bias_correction2)
        return _Move(self.settled_move(scale * m, parameter, bias_correction1, bias_correction2), scale[0], -by_v, bent)

    def bent(self, by: "_Move", parameter: str, root: Tensor, bias_correction2: Tensor) -> Tensor:
        """How far a move may differ from what its derivatives say, where the gradient is hardly known; one standard deviation, [N]."""
        m = self.s[f"m_{parameter}"][0]
        least, eps = self.least[parameter], self.c["eps"][0]
        move = by.by_m * (root + eps) / (torch.sqrt(least.v / bias_correction2) + eps) * least.m
        return (move - (by.move[0] + by.by_m * (least.m - m) + by.by_v * least.tangent)).abs() / FACTOR

    def settled_move(self, move: Tensor, parameter: str, bias_correction1: Tensor, bias_correction2: Tensor) -> Tensor:
        """The move, [3, N], as the neighbour that flushes makes it: lr times m first, and eps times the root of the correction."""
        m, v = self.s[f"m_{parameter}"][1], self.s[f"v_{parameter}"][1]
        root = torch.sqrt(bias_correction2)
        rate = self.c["lr"][1] / bias_correction1
        product = flushed(rate * m)
        divisor = torch.sqrt(v) + flushed(self.c["eps"][1] * root)
        move[1] = product * root / divisor
        self.fits(rate, product, move[1], m / divisor)
        return move

    def apply(self, moves: dict[str, Tensor], errors: dict[str, Tensor]) -> dict[str, Tensor]:
        """Move both parameters, given what the gradient's rounding does to each move; what that within it and its subtraction comes to."""
        rounding, ulps = {}, {}
        for name, move in moves.items():
            self.s[name] = self.s[name] - move
            self.rounding.grow(name, self.s[name][0])
            ulps[name] = float32_ulp(self.s[name][0])
            rounding[name] = ulps[name] + 3.0 * float32_ulp(move[0])
        self.rounding.note_drift({name: move[0] for name, move in moves.items()}, ulps, errors)
        return rounding


def flushed(value: Tensor, least: float = SMALLEST) -> Tensor:
    """The value, or zero where it is smaller than the least."""
    return hardshrink(value, math.nextafter(least, 0.0))


def _furthest(value: Tensor, others: tuple[Tensor, Tensor]) -> Tensor:
    """Of two approximations of a value the one that is further from it; [N]."""
    first, second = others
    return torch.where((second - value).abs() > (first - value).abs(), second, first)


class _Descent(NamedTuple):
    """The gradient of each row, [3, N], and how it moves; under `reinforce` also the mean reward, [3, N], and how that moves."""

    gradient: Tensor
    slope: Slope
    rewards: Tensor | None = None
    reward_slope: RewardSlope | None = None


class _Least(NamedTuple):
    """Moments m and v of the smallest gradient that rounding may leave, and how far v would be from its own by its derivative; [N] each."""

    m: Tensor
    v: Tensor
    tangent: Tensor


class _Move(NamedTuple):
    """A parameter's move, [3, N], its derivatives by the moments m and v, and how far it may go beyond these, [N]."""

    move: Tensor
    by_m: Tensor
    by_v: Tensor
    bent: Tensor | float = 0.0
