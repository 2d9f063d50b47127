"""Two versions of targetrl_core: taken from git into folders of their own, and imported side by side into one process."""

import importlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, NamedTuple

from bench.evidence.commit import git
from bench.evidence.files import ROOT
from targetrl_core.errors import UsageError

SideName = Literal["base", "head"]
PACKAGE = "targetrl_core"
WORKING_TREE = "the working tree"


class Snapshot(NamedTuple):
    """A version's package: what it is called, and the folder it lies in."""

    title: str
    folder: Path


def snapshot(commit: str | None, folder: Path) -> Snapshot:
    """Put a commit's package, or with None that of the working tree as it is now, into ``folder``.

    Nothing is registered with git, so that nothing is left behind there however a run ends.

    Raises:
        UsageError: git knows no such commit, or it has no such package.
    """
    folder.mkdir(parents=True)
    if commit is None:
        shutil.copytree(ROOT / PACKAGE, folder / PACKAGE, ignore=shutil.ignore_patterns("__pycache__"))
        return Snapshot(WORKING_TREE, folder)
    parsed = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}^{{commit}}")
    if parsed.returncode:
        raise UsageError(f"BASE or HEAD is {commit!r}; it must be a commit, a branch or a tag that git knows here")
    name = parsed.stdout.decode().strip()
    archive = _git("archive", "--format=tar", name, PACKAGE)
    if archive.returncode:
        raise UsageError(f"commit {commit} has no folder {PACKAGE}; it must be a version of this project")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
        tar.extractall(folder, filter="data")
    return Snapshot(f"{commit} ({name[:10]})" if not name.startswith(commit) else name[:10], folder)


def _git(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    answer = git(ROOT, *arguments)
    if answer is None:
        raise UsageError("git does not answer; it must be on the PATH: versions are taken from it")
    return answer


class Side:
    """One version's package in this process, beside others of the same name: in ``sys.modules`` only while it is active."""

    def __init__(self, name: SideName, folder: Path) -> None:
        self.name = name
        self.folder = folder
        self.modules: dict[str, ModuleType] = {}
        with self.active():
            package = importlib.import_module(PACKAGE)
        file = Path(str(package.__file__)).resolve()
        if not file.is_relative_to(folder.resolve()):
            raise ImportError(f"{PACKAGE} was imported from {file.parent}, not from where {name.upper()} lies")
        self._package = package

    def public(self, name: str) -> Any:  # noqa: ANN401 — whatever this version has
        """A public name of this version; the package loads them when they are asked for."""
        with self.active():
            return getattr(self._package, name)

    @contextmanager
    def active(self) -> Iterator[None]:
        """Let this version's imports, those inside its functions included, find its own modules and its own built kernels."""
        others, environment = _take_out(), os.environ.get("TARGETRL_CACHE_DIR")
        sys.modules.update(self.modules)
        sys.path.insert(0, str(self.folder))
        os.environ["TARGETRL_CACHE_DIR"] = str(self.folder / "cache")
        try:
            yield
        finally:
            self.modules = _take_out()
            sys.modules.update(others)
            sys.path.remove(str(self.folder))
            if environment is None:
                del os.environ["TARGETRL_CACHE_DIR"]
            else:
                os.environ["TARGETRL_CACHE_DIR"] = environment


def _take_out() -> dict[str, ModuleType]:
    names = [name for name in sys.modules if name == PACKAGE or name.startswith(f"{PACKAGE}.")]
    return {name: sys.modules.pop(name) for name in names}
