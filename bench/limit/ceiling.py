"""What no honest variant can exceed: the limits of a session's devices, and the reason that withholds a row above them."""

from dataclasses import dataclass, field

import torch

from bench.evidence.kinds import Kind, kind_of
from bench.evidence.reasons import one_line
from bench.evidence.schema import Cell, Limits
from bench.limit import measure
from bench.limit.compute import limit_of_work
from targetrl_core import UsageError

MARGIN = {"cpu": 1.5, "cuda": 2.0}
"""How many times the limit a row may come to: an honest variant may do with fewer operations than the kernel that is counted.

Of the 25 additions and multiplications of a step of `detached`, 22 are left where moments and logit are kept in other units, division and
root share Newton's steps, whose own are among the 22, and the exponential is carried from step to step; 18 where the divider does what
Newton's steps would: 1.1 to 1.4 times the limit, if no unit ever waited. A GPU has a unit for the exponential, too: 14 instructions, 1.8
times. What is measured is far below: on a shared Xeon with AVX-512 `fused` came to 0.31 of the limit of 9.5 G at N = 10,000 (0.25 in
portable arithmetic), and to 0.07 (0.05) at N = 1,000,000.
"""

MEASUREMENTS = 3
"""So often a device is measured anew before a row is withheld: what else ran at the first time may have made its limits low."""


@dataclass
class Ceiling:
    """The limits of a session's devices, by their names, or why there are none: each is measured when it is first asked for."""

    measured: dict[str, Limits] = field(default_factory=dict)
    why_none: dict[str, str] = field(default_factory=dict)

    def limits(self, device: torch.device) -> Limits | None:
        """The limits of a device; None where they cannot be measured."""
        name = str(device)
        if name not in self.measured and name not in self.why_none:
            self._measure(device)
        return self.measured.get(name)

    def reasons(self, cell: Cell, device: torch.device, seconds: float) -> tuple[str, ...]:
        """Why a cell cannot have been trained in so many seconds: one reason, or none where it can, or no limit is known."""
        reason = self._reason(cell, device, seconds)
        for _ in range(MEASUREMENTS):
            if reason is not None:
                self._measure(device)
                reason = self._reason(cell, device, seconds)
        return () if reason is None else (reason,)

    def _reason(self, cell: Cell, device: torch.device, seconds: float) -> str | None:
        limits = self.limits(device) if cell.steps else None
        if limits is None:
            return None
        limit = limit_of_work(measure.count(_least_step(cell)), limits, steps=None)
        devices = (cell.ranks or 1) if device.type == "cuda" else 1  # a rank trains on a GPU of its own, but on a core of one CPU
        times = cell.policies * cell.steps / max(seconds, 1e-12) / (limit.speed * devices)
        if times <= MARGIN[device.type]:
            return None
        at_most = f"{limit.speed * devices / 1e9:.3g} G policy-steps/s by {limit.binds}"
        return f"{times:.3g} × what this device can do at most ({at_most})"

    def _measure(self, device: torch.device) -> None:
        """Measure a device, once more where it has been: the more counts, as whatever else runs only takes away."""
        name = str(device)
        reason = measure.why_no_limits(device)
        if reason is None:
            try:
                self.measured[name] = _most(measure.measure(device), self.measured.get(name))
            except (RuntimeError, UsageError) as error:  # the device is gone, or the compiler fails
                reason = f"{type(error).__name__}: {one_line(str(error))}"
        if reason is not None:
            self.why_none.setdefault(name, reason)


def _most(limits: Limits, earlier: Limits | None) -> Limits:
    """The larger rates of two measurements of one device."""
    if earlier is None:
        return limits
    pairs = {name: (getattr(limits, name), getattr(earlier, name)) for name in Limits.__struct_fields__}
    return Limits(**{name: max(pair) for name, pair in pairs.items() if None not in pair})


def _least_step(cell: Cell) -> Kind:
    """The step that a cell cannot do without, of those whose operations are counted.

    Of `reinforce` it is the step without the noise; and whatever the arithmetic, what is near enough is identical, so that the native one,
    which has fewer operations, is all that can be asked for.
    """
    step = kind_of(cell).step._replace(arithmetic="native")
    return step._replace(objective="detached") if cell.objective == "reinforce" else step
