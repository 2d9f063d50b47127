"""Train many tiny reward-driven policies as fast as a device allows, with proof that every fast way computes the same thing.

from targetrl_core import Population, Problem, train, verify

problem = Problem(objective="pathwise", steps=50)
population = Population.initialise(1_000_000, seed=0)
run = train(problem, population, variant="batched-compiled", device="cpu")
report = verify(problem, population, variant="batched-compiled", device="cpu")
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from targetrl_core.devices import available_devices
    from targetrl_core.errors import UsageError
    from targetrl_core.population import Population
    from targetrl_core.problem import Problem
    from targetrl_core.streaming import Summary, stream
    from targetrl_core.sweeps import sweep
    from targetrl_core.training import Run, train
    from targetrl_core.variants import VARIANTS, Variant
    from targetrl_core.verification import Report, verify

__version__ = "0.1.0"

_HOMES = {
    "Population": "population",
    "Problem": "problem",
    "Report": "verification",
    "Run": "training",
    "Summary": "streaming",
    "UsageError": "errors",
    "VARIANTS": "variants",
    "Variant": "variants",
    "available_devices": "devices",
    "stream": "streaming",
    "sweep": "sweeps",
    "train": "training",
    "verify": "verification",
}

__all__ = [
    "VARIANTS",
    "Population",
    "Problem",
    "Report",
    "Run",
    "Summary",
    "UsageError",
    "Variant",
    "available_devices",
    "stream",
    "sweep",
    "train",
    "verify",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 — each name has its own type
    # torch takes seconds to import, and `targetrl --help` needs none of it.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"targetrl_core.{_HOMES[name]}"), name)
