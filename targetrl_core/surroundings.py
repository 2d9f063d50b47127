"""What a variant may not leave changed: how PyTorch computes for what comes after it, and what it is timed and checked with."""

import gc
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

import torch
from torch import overrides

from targetrl_core.modes import PROCESS_MODES, Setting, flushes_subnormals


def _function_modes() -> int:
    """How many modes see every function of torch that this thread calls."""
    return len(overrides._get_current_function_mode_stack())  # noqa: SLF001 — it has no public name


def _drop_function_modes(count: int) -> None:
    while _function_modes() > count:
        overrides._pop_mode()  # noqa: SLF001 — likewise


_SETTINGS = (
    Setting("the number of modes that see torch's functions", _function_modes, _drop_function_modes),
    Setting("the number of threads", torch.get_num_threads, torch.set_num_threads),
    Setting("grad mode", torch.is_grad_enabled, torch.set_grad_enabled),
    Setting("the flushing of subnormal numbers", flushes_subnormals, torch.set_flush_denormal),
    Setting("the garbage collector", gc.isenabled, lambda enabled: gc.enable() if enabled else gc.disable()),
    Setting("the switch interval", sys.getswitchinterval, sys.setswitchinterval),
    Setting("the profile function", sys.getprofile, sys.setprofile),
    *PROCESS_MODES,
)

PACKAGES = ("targetrl_core", "bench")
"""Whose functions and classes time and check."""

Place = tuple[ModuleType | type, str]


@dataclass(frozen=True)
class Surroundings:
    """How things were at a look.

    Attributes:
        settings: values by name.
        functions: what stood in modules and classes that time and check.
        codes: what those functions did.
        members: what the classes had.
    """

    settings: dict[str, Any]
    functions: dict[Place, Any]
    codes: dict[FunctionType, Any]
    members: dict[type, frozenset[str]]

    @classmethod
    def look(cls) -> "Surroundings":
        """Look now."""
        functions = dict(_functions())
        codes = {value: value.__code__ for value in functions.values() if isinstance(value, FunctionType)}
        members = {owner: frozenset(vars(owner)) for owner, _ in functions if isinstance(owner, type)}
        return cls({setting.name: setting.read() for setting in _SETTINGS}, functions, codes, members)

    def put_back(self) -> tuple[str, ...]:
        """A line for everything that has been changed since the look; it is put back."""
        return (*self._changed_settings(), *self._changed_functions(), *self._added_members())

    def _changed_settings(self) -> Iterator[str]:
        for setting in _SETTINGS:
            before, after = self.settings[setting.name], setting.read()
            if before != after:
                setting.write(before)
                yield f"the variant left {setting.name} changed, from {before} to {after}"

    def _changed_functions(self) -> Iterator[str]:
        for (owner, name), value in self.functions.items():
            if vars(owner).get(name) is not value:
                setattr(owner, name, value)
                yield f"the variant replaced {name} of {owner.__name__}"
        for function, code in self.codes.items():
            if function.__code__ is not code:
                function.__code__ = code
                yield f"the variant replaced what {function.__name__} of {function.__module__} does"

    def _added_members(self) -> Iterator[str]:
        for owner, names in self.members.items():
            for name in vars(owner).keys() - names - PYTHONS_OWN:
                delattr(owner, name)
                yield f"the variant added {name} to {owner.__name__}"


PYTHONS_OWN = {"__abstractmethods__", "__annotations__", "__static_attributes__", "_abc_impl"}
"""What Python itself may add to a class when it is first used."""


def _functions() -> Iterator[tuple[Place, Any]]:
    """Functions, classes and modules in the packages' modules, methods of those classes, and the built-in functions of torch and time."""
    for module in [module for name, module in sys.modules.items() if name.partition(".")[0] in PACKAGES]:
        yield from _named(module, lambda value: callable(value) or isinstance(value, ModuleType))
        for owner in [value for value in vars(module).values() if isinstance(value, type) and value.__module__ == module.__name__]:
            yield from _named(owner, lambda value: callable(value) or isinstance(value, (classmethod, staticmethod, property)))
    for module in (torch, time):  # functions that torch has in Python are wrapped by what compiles, when that is imported
        yield from _named(module, lambda value: isinstance(value, BuiltinFunctionType))


def _named(owner: ModuleType | type, wanted: Callable[[Any], bool]) -> Iterator[tuple[Place, Any]]:
    return (((owner, name), value) for name, value in list(vars(owner).items()) if not name.startswith("__") and wanted(value))
