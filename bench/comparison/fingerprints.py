"""What differs between the machines and the software of files, key by key."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from bench.comparison.columns import Column


class Difference(NamedTuple):
    """A key of the fingerprint, and its value in each file; None where a file does not tell."""

    key: str
    values: tuple[str | None, ...]


def differences(columns: Sequence[Column]) -> list[Difference]:
    """The keys whose values are not the same in all files, in the order of the schema, packages last."""
    facts = [_flat(column) for column in columns]
    keys = dict.fromkeys(key for fact in facts for key in fact)
    found = [Difference(key, tuple(fact.get(key) for fact in facts)) for key in keys]
    return [one for one in found if len(set(one.values)) > 1]


def _flat(column: Column) -> dict[str, str | None]:
    facts = msgspec.structs.asdict(column.machine.evidence.targetrl.fingerprint)
    packages: dict[str, str] = facts.pop("packages")
    values = facts | {f"packages.{name}": version for name, version in packages.items()}
    return {key: None if value is None else str(value) for key, value in values.items()}
