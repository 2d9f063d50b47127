"""The cost model of a curve: what a call costs, what a policy costs, and how well that describes what was measured."""

import math
from dataclasses import dataclass
from functools import cached_property

from bench.cost import draws
from bench.cost.curves import Curve, curves
from bench.cost.line import Line, Lines, fit, fits, misfit
from bench.evidence.kinds import Kind
from bench.evidence.machine import Machine
from bench.evidence.records import Interval

EXACT = 2
"""As many sizes have a line through them, whatever they are: it has no misfit, unless a or b would be negative."""

TOLERANCE = 0.25
"""Misfit above which a line does not describe what was measured: caches, or threads that start only from some N."""


@dataclass(frozen=True)
class Model:
    """t(N) = a + b·N of one curve of two or more sizes, and the same of rows as other runs might have had them."""

    kind: Kind
    curve: Curve
    line: Line
    drawn: Lines

    @cached_property
    def dispatch(self) -> Interval:
        """Seconds of a call, whatever it trains."""
        return draws.interval(self.line.dispatch, self.drawn.dispatch)

    @cached_property
    def per_policy(self) -> Interval:
        """Seconds of each policy, all its steps."""
        return draws.interval(self.line.per_policy, self.drawn.per_policy)

    @cached_property
    def per_policy_step(self) -> Interval:
        """Seconds of one update of one policy."""
        return Interval(*(seconds / self.kind.steps for seconds in self.per_policy))

    @cached_property
    def speed(self) -> Interval:
        """Policy-steps per second that more and more policies come near to; infinite where b is 0."""
        low, value, high = self.per_policy_step
        return Interval(*(1 / seconds if seconds else math.inf for seconds in (high, value, low)))

    @cached_property
    def misfit(self) -> float:
        """The largest ratio between a row and the line, less one."""
        return misfit_of(self.line, self.curve)

    @property
    def exact(self) -> bool:
        """Whether the line has no more rows than it has numbers."""
        return len(self.curve) == EXACT

    @property
    def holds(self) -> bool:
        """Whether the line describes what was measured."""
        return self.misfit <= TOLERANCE

    @property
    def largest(self) -> int:
        """The largest N that was measured."""
        return self.curve[-1].policies


def line_through(curve: Curve) -> Line | None:
    """The line of a curve; None where it has one size."""
    return fit(*_sizes_and_logs(curve)) if len(curve) >= EXACT else None


def misfit_of(line: Line, curve: Curve) -> float:
    """The largest ratio between a row of a curve and a line, less one."""
    return misfit(line, *_sizes_and_logs(curve))


def models(machine: Machine) -> dict[Kind, Model]:
    """The model of each curve that has one."""
    return {kind: model_of(kind, curve) for kind, curve in curves(machine).items() if len(curve) >= EXACT}


def model_of(kind: Kind, curve: Curve) -> Model:
    """The model of a curve of two or more sizes."""
    sizes, logs = _sizes_and_logs(curve)
    return Model(kind, curve, fit(sizes, logs), fits(sizes, draws.redrawn(curve, str(kind))))


def _sizes_and_logs(curve: Curve) -> tuple[tuple[int, ...], list[float]]:
    return tuple(point.policies for point in curve), [math.log(point.seconds.value) for point in curve]
