"""The files that are compared, a column each: read, checked that they can be compared, and named so that they can be told apart."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import msgspec

from bench.evidence import records
from bench.evidence.machine import Machine
from bench.evidence.schema import Cell
from bench.evidence.untrusted import plain
from targetrl_core.errors import UsageError

FIELDS = ("objective", "optimizer", "arithmetic", "steps", "variant", "policies", "question")

UNKNOWN = (None, "unversioned")
"""No commit, in words of this version and of older ones; it equals nothing, not even another of its kind."""

SHOWN, LONGEST = 5, 60
"""Values that an error quotes of a file, and characters of each."""


class Column(NamedTuple):
    """One file, and what it is called beside the others."""

    name: str
    machine: Machine


def read(paths: Sequence[Path], *, mixed_commits: bool = False) -> list[Column]:
    """Read files that are to be compared; the first is what the others are measured by.

    Raises:
        UsageError: one cannot be read, there is only one, or they cannot be compared; names the key and both values.
    """
    if len(paths) <= 1:
        raise UsageError(f"{len(paths)} file is named; compare takes two or more")
    machines = [Machine(evidence) for evidence in records.read_all(list(paths))]
    files = _told_apart([plain(path.name) for path in paths], [plain(path) for path in paths])
    for name, machine in zip(files[1:], machines[1:], strict=True):
        _check_cells((files[0], machines[0]), (name, machine))
    if not mixed_commits:
        _check_commits(list(zip(files, machines, strict=True)))
    return [Column(name, machine) for name, machine in zip(_names(machines, files), machines, strict=True)]


def _check_commits(named: list[tuple[str, Machine]]) -> None:
    """Two commits, changes that no commit holds, or none that is known: what was timed may be other code."""
    for (name, machine), (other, another) in pairwise(named):
        mine, theirs = machine.evidence.targetrl.fingerprint, another.evidence.targetrl.fingerprint
        for key, first, second in (("commit", mine.commit, theirs.commit), ("dirty", mine.dirty, theirs.dirty)):
            if first != second or first in UNKNOWN or (key == "dirty" and first):
                texts = ["unknown" if value in UNKNOWN else plain(value, LONGEST) for value in (first, second)]
                difference = f"{texts[0]} in {name} and {texts[1]} in {other}"
                raise UsageError(f"targetrl.fingerprint.{key} is {difference}; --mixed-commits compares them all the same")


def _check_cells(first: tuple[str, Machine], other: tuple[str, Machine]) -> None:
    """Files of two problems have no cell in common."""
    (name, mine), (another, theirs) = ((name, _trained(machine)) for name, machine in (first, other))
    if not mine & theirs:
        raise UsageError(f"{another} has no row in common with {name}: {_difference(name, mine, another, theirs)}")


def _trained(machine: Machine) -> set[Cell]:
    """The cells that tell what was trained; all where nothing was."""
    cells = {*machine.rows, *machine.absent}
    return {cell for cell in cells if cell.steps} or cells


def _difference(name: str, mine: set[Cell], another: str, theirs: set[Cell]) -> str:
    """The first field in which two files have nothing in common or, where each has something, a row of both."""
    for field in FIELDS:
        here, there = ({plain(getattr(cell, field), LONGEST) for cell in cells} for cells in (mine, theirs))
        if not here & there:
            return f"{field} is {_values(here)} in {name} and {_values(there)} in {another}"
    here, there = ({" ".join(plain(getattr(cell, field), LONGEST) for field in FIELDS) for cell in cells} for cells in (mine, theirs))
    return f"rows are of {_values(here)} in {name} and of {_values(there)} in {another}"


def _values(values: set[str]) -> str:
    known = sorted(values) or ["nothing"]
    return "; ".join(known[:SHOWN]) + ("; …" if len(known) > SHOWN else "")


def _names(machines: Sequence[Machine], files: list[str]) -> list[str]:
    """Label and device or, where two files have the same, with the commit, or the file's name."""
    commits = [(machine.evidence.targetrl.fingerprint.commit or "no commit")[:9] for machine in machines]
    labels = [machine.name for machine in machines]
    return _told_apart(labels, [f"{label}, {plain(commit)}" for label, commit in zip(labels, commits, strict=True)], files)


def _told_apart(*candidates: list[str]) -> list[str]:
    """The first of some lists of names in which no two are the same; else the last, with numbers."""
    unique: Iterator[list[str]] = (names for names in candidates if len(set(names)) == len(names))
    return next(unique, [f"{name} ({index})" for index, name in enumerate(candidates[-1], 1)])


def differences(columns: Sequence[Column]) -> list[tuple[str, tuple[str | None, ...]]]:
    """The keys of the fingerprint that are not the same in all files, with the value in each, None where it does not tell."""
    facts = [_flat(column) for column in columns]
    keys = dict.fromkeys(key for fact in facts for key in fact)
    values = [(key, tuple(fact.get(key) for fact in facts)) for key in keys]
    return [(key, different) for key, different in values if len(set(different)) > 1]


def _flat(column: Column) -> dict[str, str | None]:
    facts = msgspec.structs.asdict(column.machine.evidence.targetrl.fingerprint)
    packages: dict[str, str] = facts.pop("packages")
    values = facts | {f"packages.{name}": version for name, version in packages.items()}
    return {key: None if value is None else str(value) for key, value in values.items()}
