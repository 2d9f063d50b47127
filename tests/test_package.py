"""The package: the same bytes from the same sources, with all that it needs and nothing else."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from contextlib import ExitStack
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest
from flit_core import buildapi

from targetrl_core import __version__

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CORE = "targetrl_core"
WHEEL, SDIST = f"targetrl-{__version__}-py3-none-any.whl", f"targetrl-{__version__}.tar.gz"
EPOCH = "1577836800"


def sources() -> set[str]:
    """The files of the core that are the project's own, whatever else lies between them."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("what is the project's own is known to git alone")
    command = [git, "ls-files", "--cached", "--others", "--exclude-standard", CORE]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return {name for name in listed.stdout.splitlines() if (ROOT / name).exists()}


def build(checkout: Path, out: Path) -> Path:
    """Wheel and sdist of a checkout."""
    with ExitStack() as stack:
        stack.callback(os.chdir, Path.cwd())
        os.chdir(checkout)
        assert buildapi.build_wheel(str(out)) == WHEEL
        assert buildapi.build_sdist(str(out)) == SDIST
    return out


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOURCE_DATE_EPOCH", EPOCH)
        return build(ROOT, tmp_path_factory.mktemp("built"))


def metadata(built: Path) -> Message:
    """What the wheel says of itself."""
    with zipfile.ZipFile(built / WHEEL) as wheel:
        return message_from_bytes(wheel.read(f"targetrl-{__version__}.dist-info/METADATA"))


def test_the_same_sources_are_the_same_bytes(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Built elsewhere, at another time, under another umask, beside compiled files, wheel and sdist are the same to the byte."""
    copy = tmp_path / "elsewhere"
    copy.mkdir()
    for name in (*sources(), "pyproject.toml", "README.md", "LICENSE"):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, copy / name)
        (copy / name).chmod(0o600)
        os.utime(copy / name, (0, 4e8))
    (copy / CORE / "__pycache__").mkdir()
    (copy / CORE / "__pycache__/cli.cpython-311.pyc").touch()
    monkeypatch.setenv("SOURCE_DATE_EPOCH", EPOCH)
    (tmp_path / "again").mkdir()
    again = build(copy, tmp_path / "again")
    for name in (WHEEL, SDIST):
        assert (built / name).read_bytes() == (again / name).read_bytes()


def test_they_hold_the_core_and_nothing_else(built: Path) -> None:
    """The wheel holds the core's own files, kernel sources among them, and what pip needs; the sdist what the wheel is built from."""
    info = f"targetrl-{__version__}.dist-info"
    with zipfile.ZipFile(built / WHEEL) as wheel:
        names = set(wheel.namelist())
    assert names == sources() | {f"{info}/{name}" for name in ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE")}
    assert {Path(name).suffix for name in names} >= {".h", ".cpp", ".cu", ".metal", ".typed"}
    with tarfile.open(built / SDIST) as sdist:
        assert {name.partition("/")[2] for name in sdist.getnames()} == sources() | {"LICENSE", "PKG-INFO", "README.md", "pyproject.toml"}


def test_every_version_is_the_packages(built: Path) -> None:
    """The version stands in one place, and the file names, the metadata and the command have it from there."""
    assert metadata(built)["Version"] == __version__
    texts = [path.read_text() for path in (ROOT / "pyproject.toml", *(ROOT / CORE).rglob("*.py"))]
    assert sum(text.count(f'"{__version__}"') for text in texts) == 1


def test_the_supported_pythons_are_said(built: Path) -> None:
    """The classifiers are the versions from the oldest on that pip is told, and this Python is one of them."""
    versions = [match[1] for text in PROJECT["classifiers"] if (match := re.match(r"Programming Language :: Python :: (3\.\d+)$", text))]
    assert versions == [f"3.{minor}" for minor in range(11, 11 + len(versions))]
    assert metadata(built)["Requires-Python"] == f">={versions[0]}"
    assert f"3.{sys.version_info.minor}" in versions


def imported(path: Path) -> set[str]:
    """Names of the modules that a file imports anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def test_the_tests_that_run_outside_need_no_checkout() -> None:
    """What `make installed` runs beside the installed wheel exists and imports nothing of bench, nor does what it imports of the tests."""
    (line,) = re.findall(r"^OUTSIDE := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    waiting, seen = [ROOT / f"tests/test_{name}.py" for name in line.split()], set()
    while waiting:
        path = waiting.pop()
        seen.add(path)
        names = imported(path)
        assert not [name for name in names if name.partition(".")[0] in ("bench", "conftest")], path
        needed = {ROOT / f"{name.replace('.', '/')}.py" for name in names if name.startswith("tests.")}
        waiting += [path for path in needed if path.exists() and path not in seen]
