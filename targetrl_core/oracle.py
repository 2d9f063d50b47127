"""The oracle: the step in float64, written on its own, and how far rounding may carry a float32 run from it.

It shares no code with the variants. Two things are followed beside the path of each policy. Its *spread*: every float32 operation
of a step adds an error of about one ulp, errors of different operations are independent, and the step's derivatives carry the
variances on (linear error propagation, exact to first order, whatever the constants and wherever the policy begins). Other errors
repeat from step to step, and add up. Two *neighbours* follow these: one is trained under constants rounded to float32, its state
rounded after every step, which updates too small for their parameter do not survive; the other's outputs are always half an ulp too
high, as those of a policy are that hardly moves.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor

from targetrl_core.oracle_draws import Draws, RewardSlope
from targetrl_core.outcomes import AT_TARGET
from targetrl_core.population import Population
from targetrl_core.problem import CONSTANTS, Problem, as_float64
from targetrl_core.spread import Slope, Spread, float32_ulp

FACTOR = 3.0
"""The bound in units of the reach; honest variants stay below it, by results/bounds.json."""

SENSITIVE = 0.01
"""Where rounding may have carried the logit this far, the policy amplifies errors so much that its course is not determined."""

FAR = 20.0
"""A logit beyond it may be off in proportion: there σ is flat, and what bends the course is as far away."""

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
        kinked: whether the policy comes so close to a kink that either branch is right, or amplifies errors so much that its course
            is not determined; [N] bool.
        first_unsure: whether ``first_step`` hangs on a rounding error; [N] bool.
    """

    state: dict[str, Tensor]
    reach: dict[str, Tensor]
    ulp: dict[str, Tensor]
    logit: Tensor
    logit_reach: Tensor
    first_step: Tensor
    kinked: Tensor
    first_unsure: Tensor

    def slice(self, start: int, stop: int) -> Self:
        """What the oracle says of policies ``start`` … ``stop − 1``."""

        def part(value: Any) -> Any:  # noqa: ANN401 — a tensor, or tensors by name
            return {name: part(tensor) for name, tensor in value.items()} if isinstance(value, dict) else value[start:stop]

        return type(self)(**{field.name: part(getattr(self, field.name)) for field in fields(self)})


class Row(NamedTuple):
    """Before an update, [N] each: the logits, how far rounding may carry them, and which policies are at a kink so far."""

    logit: Tensor
    logit_reach: Tensor
    kinked: Tensor


def reference(problem: Problem, population: Population) -> Reference:
    """Train ``population`` in float64."""
    problem.check_policies(population.n)
    population = population.to("cpu")
    parts = []
    for start in range(0, population.n, _BLOCK):
        stop = min(start + _BLOCK, population.n)
        parts.append(_Path(problem.take(slice(start, stop)), population.slice(start, stop)).follow())
    return _joined(parts)


def course(problem: Problem, population: Population) -> Iterator[Row]:
    """What the oracle has of ``population``, which is on the CPU, before each update."""
    problem.check_policies(population.n)
    path = _Path(problem, population)
    for z in path.course():
        yield Row(z[0], path.forward_reach(z), path.kinked)


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
        self.age = population.age
        # With x = 1 both parameters have the same gradients: their moments, equal at the start, are computed once.
        self.shared = problem.unit_input and population.shares_moments
        state = {name: tensor.to(torch.float64) for name, tensor in population.tensors().items()}
        if problem.keeps_baseline:
            state.setdefault("baseline", torch.zeros(population.n, dtype=torch.float64))
        self.seeds = population.seed_tensor(torch.device("cpu"))
        self.s = {name: tensor.expand(3, -1).clone() for name, tensor in state.items()}
        self.largest = {name: tensor.abs() for name, tensor in state.items()}
        self.spread = Spread(population.n, "wbmvgq" if "baseline" in state else "wbmvg")
        self.kinked = torch.zeros(population.n, dtype=torch.bool)
        self.first_step = torch.full((population.n,), problem.steps, dtype=torch.int32)
        self.first_unsure = torch.zeros(population.n, dtype=torch.bool)

    def constant(self, name: str, n: int) -> Tensor:
        """The constant for each row, [3, N]: row 1 has it rounded to float32."""
        value = as_float64(getattr(self.problem, name)).expand(n)
        return torch.stack((value, value.to(torch.float32).double(), value))

    def follow(self) -> Reference:
        for _logits in self.course():
            pass
        return self.found()

    def course(self) -> Iterator[Tensor]:
        """Update after update; what is yielded before each are the logits, [3, N]."""
        for step in range(self.problem.steps):
            z = self.s["weight"] * self.c["x"] + self.s["bias"]
            o = torch.sigmoid(z)
            o[2] += 0.5 * float32_ulp(o[2])
            error = self.forward_error(z[0], o[0])
            carried = FACTOR * self.logit_reach(z)
            self.kinked |= ~(carried <= SENSITIVE * (z[0].abs() / FAR).clamp(min=1.0))  # where the variances have overflowed, too
            yield z
            reach = carried * o[0] * (1.0 - o[0]) + FACTOR * error
            self.note_first(step, o[0], reach)
            self.update(self.descent(step, o, error, reach), o[0], reach, self.age + step + 1)
            for tensor in self.s.values():
                tensor[1] = tensor[1].to(torch.float32)

    def found(self) -> Reference:
        if self.shared and self.problem.optimizer == "adam":
            for moment in ("m", "v"):
                self.s[f"{moment}_bias"] = self.s[f"{moment}_weight"]
                self.largest[f"{moment}_bias"] = self.largest[f"{moment}_weight"]
        z = self.s["weight"] * self.c["x"] + self.s["bias"]
        ulp = {name: float32_ulp(self.largest[name]) for name in self.s}
        return Reference(
            state={name: tensor[0] for name, tensor in self.s.items()},
            reach={name: self.reach(name) + ulp[name] for name in self.s},
            ulp=ulp,
            logit=z[0],
            logit_reach=self.forward_reach(z),
            first_step=self.first_step,
            kinked=self.kinked,
            first_unsure=self.first_unsure,
        )

    def reach(self, name: str) -> Tensor:
        """How far rounding may have carried a state tensor: one standard deviation, and the neighbours' distances; [N]."""
        deviation = self.spread["qq" if name == "baseline" else name[0] * 2].clamp(min=0.0).sqrt()
        power = {"m_weight": 1, "v_weight": 2}.get(name, 0)
        return deviation * self.c["x"][0].abs() ** power + _apart(self.s[name])

    def logit_reach(self, z: Tensor) -> Tensor:
        """The same of the logit, [N]."""
        variance = self.spread.variance_of({"b": 1.0, "w": self.c["x"][0]})
        return variance.clamp(min=0.0).sqrt() + _apart(z)

    def forward_reach(self, z: Tensor) -> Tensor:
        """The same of a logit that is computed from parameters of float32, [N]."""
        return self.logit_reach(z) + float32_ulp(self.largest["weight"]) * self.c["x"][0].abs() + float32_ulp(self.largest["bias"])

    def forward_error(self, z: Tensor, o: Tensor) -> Tensor:
        """What rounding within one forward pass does to the output: one ulp of the largest term of z, and one of o."""
        terms = torch.stack(((self.s["weight"][0] * self.c["x"][0]).abs(), self.s["bias"][0].abs(), z.abs())).amax(0)
        return o * (1.0 - o) * float32_ulp(terms) + float32_ulp(o)

    def note_first(self, step: int, o: Tensor, reach: Tensor) -> None:
        """Keep the first step at target; mark where that, or the side of the kink, is within reach of a rounding error."""
        distance = (o - self.c["target"][0]).abs()
        undecided = self.first_step == self.problem.steps
        self.first_unsure |= undecided & ((distance - AT_TARGET).abs() <= reach)
        self.first_step[undecided & (distance <= AT_TARGET)] = step
        if self.problem.objective == "pathwise":
            self.kinked |= distance <= reach

    def gradient(self, o: Tensor) -> Tensor:
        """dL/dz, [3, N]."""
        distance = o - self.c["target"]
        if self.problem.objective == "pathwise":
            return self.c["k"] * torch.sign(distance) * o * (1.0 - o)
        return -(1.0 - self.c["k"] * distance.abs()) * (1.0 - o)

    def slope(self, o: Tensor, error: Tensor, reach: Tensor) -> Slope:
        """The gradient's derivative, and its error within one step, from the closed forms of both objectives."""
        k, distance = self.c["k"][0], o - self.c["target"][0]
        side, curve = torch.sign(distance), o * (1.0 - o)
        if self.problem.objective == "pathwise":
            gradient = k * side * curve
            by_output = k * side * (1.0 - 2.0 * o)
            return Slope(gradient, by_output * curve, by_output.abs() * error + 2.0 * float32_ulp(gradient))
        reward = 1.0 - k * distance.abs()
        gradient = -reward * (1.0 - o)
        by_output = k * side * (1.0 - o) + reward
        # The reward is a difference: its error is an ulp of its terms, however small it is itself.
        cancelled = (1.0 - o) * float32_ulp((k * distance.abs()).clamp(min=1.0))
        # Within reach of the target the reward's peak lies between the policy and where rounding carried it: the derivative is another.
        folded = 2.0 * k * (1.0 - o) * (reach - distance.abs()).clamp(min=0.0) / FACTOR
        rounding = (k * (1.0 - o) + reward.abs()) * error + cancelled + float32_ulp(gradient)
        return Slope(gradient, by_output * curve, rounding + folded)

    def descent(self, step: int, o: Tensor, error: Tensor, reach: Tensor) -> "_Descent":
        """The gradient at outputs [3, N], and what is known of it."""
        if self.problem.objective != "reinforce":
            return _Descent(self.gradient(o), self.slope(o[0], error, reach))
        baseline = self.s["baseline"] if self.problem.keeps_baseline else torch.zeros_like(o)
        draws = Draws(self.problem, self.c, self.seeds, self.age + step, baseline)
        gradient, rewards = draws.estimate(o)
        slope, reward_slope = draws.slopes(o[0], error, reach)
        return _Descent(gradient, slope if self.problem.keeps_baseline else slope._replace(by_baseline=None), rewards, reward_slope)

    def update(self, found: "_Descent", o: Tensor, reach: Tensor, t: int) -> None:
        gradient, slope, x, lr = found.gradient, found.slope, self.c["x"], self.c["lr"]
        self.spread.gradient(slope, x[0])
        if self.problem.optimizer == "sgd":
            self.follow_rewards(o, found)
            moves = {"weight": lr * gradient * x, "bias": lr * gradient}
            self.spread.sgd(x[0], lr[0], self.apply(moves))
            return
        self.note_sign(slope, o, reach)
        self.moment_step(gradient, slope)
        self.follow_rewards(o, found)
        by_bias = self.derivatives("bias" if not self.shared else "weight", t)
        by_weight = by_bias if self.shared else self.derivatives("weight", t)
        moves = {name: by.move for name, by in (("weight", by_weight), ("bias", by_bias))}
        rounding = self.apply(moves)
        x0 = x[0]
        self.spread.move((by_weight.by_m * x0, by_weight.by_v * x0**2), (by_bias.by_m, by_bias.by_v), rounding)

    def note_sign(self, slope: Slope, o: Tensor, reach: Tensor) -> None:
        # Adam divides by √v: while v holds nothing larger than this gradient, the update is its sign times lr.
        if self.problem.objective != "pathwise":
            by_output = slope.derivative.abs() / (o * (1.0 - o)).clamp(min=2.0**-126)
            unsure = by_output * reach + FACTOR * slope.error
            if slope.by_baseline is not None:
                unsure = unsure + slope.by_baseline.abs() * FACTOR * self.reach("baseline")
            memory = torch.sqrt(self.c["beta2"][0] * self.s["v_weight" if self.shared else "v_bias"][0])
            self.kinked |= (slope.gradient.abs() <= unsure) & (memory <= 2.0 * unsure)

    def moment_step(self, gradient: Tensor, slope: Slope) -> None:
        """Kingma and Ba, 2015, algorithm 1: the moments. The rates are those of float64, as torch.optim has them."""
        for parameter in ("weight",) if self.shared else ("weight", "bias"):
            g = gradient * self.c["x"] if parameter == "weight" else gradient
            m, v = f"m_{parameter}", f"v_{parameter}"
            self.s[m] = self.c["beta1"] * self.s[m] + self.rate1 * g
            self.s[v] = self.c["beta2"] * self.s[v] + self.rate2 * g * g
            self.grow(m, self.rate1 * g[0])
            self.grow(m, self.s[m][0])
            self.grow(v, self.s[v][0])
        suffix = "weight" if self.shared else "bias"
        rounding = {f"{moment}_bias": float32_ulp(self.s[f"{moment}_{suffix}"][0]) for moment in ("m", "v")}
        rounding["m_bias"] = rounding["m_bias"] + self.rate1 * float32_ulp(slope.gradient)
        self.spread.moments(slope, (self.c["beta1"][0], self.c["beta2"][0]), rounding)

    def follow_rewards(self, o: Tensor, found: "_Descent") -> None:
        """Move the baseline towards the mean reward of this step."""
        if found.rewards is None or found.reward_slope is None or not self.problem.keeps_baseline:
            return
        rate = 1.0 - as_float64(self.problem.baseline_decay)
        self.s["baseline"] = self.s["baseline"] + rate * (found.rewards - self.s["baseline"])
        self.grow("baseline", self.s["baseline"][0])
        rounding = rate * found.reward_slope.error + float32_ulp(self.largest["baseline"])
        self.spread.baseline(self.c["x"][0], rate.expand_as(o), found.reward_slope.by_output * o * (1.0 - o), rounding)

    def derivatives(self, parameter: str, t: int) -> "_Move":
        """Adam's move of one parameter, and its derivatives by m and v."""
        m, v = self.s[f"m_{parameter}"], self.s[f"v_{parameter}"]
        decay1, decay2 = 1.0 - (1.0 - self.rate1) ** t, 1.0 - (1.0 - self.rate2) ** t
        root = torch.sqrt(v / decay2)
        divisor = root + self.c["eps"]
        scale = self.c["lr"] / decay1 / divisor
        # At v = 0 the moments have never moved, and have no error to carry.
        by_v = torch.where(v[0] > 0.0, scale[0] * m[0] / divisor[0] / (2.0 * root[0] * decay2), 0.0)
        return _Move(scale * m, scale[0], -by_v)

    def apply(self, moves: dict[str, Tensor]) -> dict[str, Tensor]:
        """Move both parameters; what rounding within the move and its subtraction comes to."""
        rounding = {}
        for name, move in moves.items():
            self.s[name] = self.s[name] - move
            self.grow(name, self.s[name][0])
            rounding[name] = float32_ulp(self.s[name][0]) + 3.0 * float32_ulp(move[0])
        return rounding

    def grow(self, name: str, value: Tensor) -> None:
        self.largest[name] = torch.maximum(self.largest[name], value.abs())


def _apart(rows: Tensor) -> Tensor:
    """How far both neighbours are from the policy, [N], of [3, N]."""
    return (rows[1:] - rows[0]).abs().sum(0)


class _Descent(NamedTuple):
    """The gradient of each row, [3, N], and how it moves; under `reinforce` also the mean reward, [3, N], and how that moves."""

    gradient: Tensor
    slope: Slope
    rewards: Tensor | None = None
    reward_slope: RewardSlope | None = None


class _Move(NamedTuple):
    """A parameter's move, [3, N], and its derivatives by the moments m and v, [N]."""

    move: Tensor
    by_m: Tensor
    by_v: Tensor
