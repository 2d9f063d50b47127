"""The rooms of `bench`: arrows point down, and nothing imports a suite or a maintainers' program."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

ORDER = (
    "__main__", "upkeep", "commands", "plugin", "session", "suites", "ranks", "report", "comparison", "cost", "verdicts",
    "timing", "peers", "limit", "tables", "evidence",
)  # fmt: skip
"""The rooms of ``bench``, each of which may import those behind it; below them all is ``targetrl_core``."""

CLOSED = {"__main__": (), "upkeep": ("__main__",), "suites": ()}
"""Rooms that only those named here may import."""


def room_of(module: str) -> str:
    """The room of a module: its folder or, where it lies in none, its own name; the suites are one room."""
    name = module.split(".")[1]
    return "suites" if name.startswith("test_") else name


def imports(source: str) -> Iterator[str]:
    """The modules that a source imports, wherever it does."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def faults(module: str, source: str) -> list[str]:
    """The imports of a module that it must not have."""
    if not module.startswith("bench."):
        return [name for name in imports(source) if name.split(".")[0] == "bench"]
    own = room_of(module)
    others = [(name, room_of(name)) for name in imports(source) if name.startswith("bench.")]
    return [name for name, room in others if room != own and not allowed(own, room)]


def allowed(own: str, room: str) -> bool:
    """Whether a room may import another."""
    return ORDER.index(room) > ORDER.index(own) and own in CLOSED.get(room, (own,))


def modules() -> Iterator[tuple[str, str]]:
    """Every module of both packages, with its source; the packages' own __init__ have nothing to import."""
    for path in sorted([*ROOT.glob("bench/**/*.py"), *ROOT.glob("targetrl_core/**/*.py")]):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        if name != "bench":
            yield name, path.read_text(encoding="utf-8")


def test_arrows_point_down() -> None:
    """No module imports a room above its own, a suite, or a maintainers' program; and targetrl_core imports nothing of bench."""
    assert [(name, faults(name, source)) for name, source in modules() if faults(name, source)] == []


def test_every_room_has_its_place() -> None:
    """The order names the rooms there are, and no others."""
    assert {room_of(name) for name, _ in modules() if name.startswith("bench.")} == set(ORDER)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("bench.evidence.reasons", "from bench.timing import nvml"),
        ("bench.verdicts.table", "def table():\n    from bench.report.tables import speeds"),
        ("bench.report.front", "import bench.commands.report"),
        ("bench.timing.cases", "from bench.test_steady_state import ROWS"),
        ("bench.commands.ab", "from bench.test_steady_state import ROWS"),
        ("bench.report.folder", "from bench.upkeep import docs"),
        ("bench.commands.ab", "from bench.upkeep.self_test import ROWS"),
        ("targetrl_core.training", "from bench.evidence import records"),
    ],
)
def test_an_arrow_that_points_up_is_found(module: str, source: str) -> None:
    """A planted import of a room above is a fault, wherever it stands; beside one that points down, it is the only one."""
    assert len(faults(module, f"from targetrl_core import Problem\n{source}\n")) == 1
