"""Variants of other packages, found through entry points of the group ``targetrl.variants``.

An entry's name is the variant's name, and its value an object that is a ``Variant``. Nothing of another package is imported before one
of its variants is asked what it can do: importing this package stays fast, and a package that imports it first finds it whole.
What is wrong with an entry is what its ``unsupported`` says, so that it is seen and the other variants go on.
"""

import re
from collections.abc import Collection, Iterator
from functools import cache
from importlib.metadata import EntryPoint, entry_points

import torch

from targetrl_core.errors import kind_and_message
from targetrl_core.problem import Problem
from targetrl_core.variants.variant import Train, Variant

GROUP = "targetrl.variants"
NAME_PATTERN = r"[a-z0-9][a-z0-9._-]{0,63}"
"""A variant's name stands in test ids, tables and JSON."""


def installed_variants(built_in: Collection[str]) -> tuple[Variant, ...]:
    """The variants of installed packages, sorted by name; ``built_in`` are the names that they cannot take."""
    return tuple(_variants(sorted(entry_points(group=GROUP), key=lambda entry: (entry.name, _package(entry))), dict.fromkeys(built_in)))


def packages() -> dict[str, str]:
    """Name and version of the packages that installed variants come from."""
    return {entry.dist.name: entry.dist.version for entry in entry_points(group=GROUP) if entry.dist}


def _variants(entries: list[EntryPoint], owners: dict[str, str | None]) -> Iterator[Variant]:
    for entry in entries:
        package = _package(entry)
        if not re.fullmatch(NAME_PATTERN, entry.name):
            plain = re.sub(r"[^a-z0-9._-]+", "-", entry.name.lower())[:64]
            yield _broken(
                f"{package}:{plain}", f"entry point {entry.name!r} of {package} must have a name of 1 to 64 of a-z, 0-9, ., _ and -"
            )
        elif entry.name in owners:
            owner = owners[entry.name] or "targetrl itself"
            yield _broken(f"{package}:{entry.name}", f"entry point {entry.name} of {package} has a name that is taken by {owner}")
        else:
            owners[entry.name] = package
            yield _lazy(entry)


def _package(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist else "an unnamed package"


def _broken(name: str, reason: str) -> Variant:
    """A variant that runs nowhere, for that reason."""

    def unsupported(_problem: Problem, _device: torch.device, _n: int) -> str | None:
        return reason

    def prepare(_problem: Problem, _device: torch.device, _n: int) -> Train:
        raise RuntimeError(reason)

    return Variant(name, unsupported, prepare)


def _lazy(entry: EntryPoint) -> Variant:
    """The variant of an entry, which is loaded when it is first asked anything."""

    @cache
    def loaded() -> Variant:
        return _load(entry)

    def unsupported(problem: Problem, device: torch.device, n: int) -> str | None:
        return loaded().unsupported(problem, device, n)

    def prepare(problem: Problem, device: torch.device, n: int) -> Train:
        return loaded().prepare(problem, device, n)

    return Variant(entry.name, unsupported, prepare)


def _load(entry: EntryPoint) -> Variant:
    """What the entry names, or a broken variant that says why it is none."""
    described = f"entry point {entry.name} of {_package(entry)} ({entry.value})"
    try:
        value = entry.load()
    except (Exception, SystemExit) as error:  # noqa: BLE001 — another package may raise anything, and is not to end this one
        return _broken(entry.name, f"{described} cannot be loaded: {kind_and_message(error)}")
    if not isinstance(value, Variant):
        return _broken(entry.name, f"{described} is no Variant but of type {type(value).__name__}")
    if value.name != entry.name:
        return _broken(entry.name, f"{described} is named {value.name!r}: it must have the name of its entry point")
    return value
