"""What a variant may not leave changed: how PyTorch computes for what comes after it, and what it is timed and checked with."""

import gc
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import BuiltinFunctionType, ModuleType
from typing import Any, NamedTuple

import torch

from targetrl_core.modes import PROCESS_MODES


class _Setting(NamedTuple):
    """Something that holds for the whole process or thread: its name, and how it is read and written."""

    name: str
    read: Callable[[], Any]
    write: Callable[[Any], object]


def _set_default_device(device: torch.device) -> None:
    torch.set_default_device(None if device.type == "cpu" else device)  # naming it, too, would have PyTorch ask at each operation


_SETTINGS = (
    _Setting("the number of threads", torch.get_num_threads, torch.set_num_threads),
    _Setting("the default device", torch.get_default_device, _set_default_device),
    _Setting("grad mode", torch.is_grad_enabled, torch.set_grad_enabled),
    _Setting("the garbage collector", gc.isenabled, lambda enabled: gc.enable() if enabled else gc.disable()),
    _Setting("the switch interval", sys.getswitchinterval, sys.setswitchinterval),
    *(_Setting(mode.name, mode.read, mode.write) for mode in PROCESS_MODES),
)

PACKAGES = ("targetrl_core", "bench")
"""Whose functions and classes time and check."""

Place = tuple[ModuleType | type, str]


@dataclass(frozen=True)
class Surroundings:
    """How things were at a look: settings by name, and what stood in modules and classes that time and check."""

    settings: dict[str, Any]
    functions: dict[Place, Any]

    @classmethod
    def look(cls) -> "Surroundings":
        """Look now."""
        return cls({setting.name: setting.read() for setting in _SETTINGS}, dict(_functions()))

    def put_back(self) -> tuple[str, ...]:
        """A line for everything that has been changed since the look; it is put back."""
        return (*self._changed_settings(), *self._changed_functions())

    def _changed_settings(self) -> Iterator[str]:
        for setting in _SETTINGS:
            before, after = self.settings[setting.name], setting.read()
            if before != after:
                setting.write(before)
                yield f"the variant left {setting.name} changed, from {before} to {after}"

    def _changed_functions(self) -> Iterator[str]:
        for (owner, name), function in self.functions.items():
            if vars(owner).get(name) is not function:
                setattr(owner, name, function)
                yield f"the variant replaced {name} of {owner.__name__}"


def _functions() -> Iterator[tuple[Place, Any]]:
    """Functions and classes of the packages' modules with the methods of those classes, and the built-in functions of torch and time."""
    for module in [module for name, module in sys.modules.items() if name.partition(".")[0] in PACKAGES]:
        yield from _named(module, _is_code)
        for owner in [value for value in vars(module).values() if isinstance(value, type) and value.__module__ == module.__name__]:
            yield from _named(owner, _is_code)
    for module in (torch, time):  # functions that torch has in Python are wrapped by what compiles, when that is imported
        yield from _named(module, lambda value: isinstance(value, BuiltinFunctionType))


def _named(owner: ModuleType | type, wanted: Callable[[Any], bool]) -> Iterator[tuple[Place, Any]]:
    return (((owner, name), value) for name, value in list(vars(owner).items()) if not name.startswith("__") and wanted(value))


def _is_code(value: object) -> bool:
    return callable(value) or isinstance(value, (classmethod, staticmethod, property))
