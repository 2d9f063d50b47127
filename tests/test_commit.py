"""The commit that evidence names is that of what was timed, wherever the run was started; what is not known equals nothing."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.comparison import columns
from bench.evidence.commit import commit_info
from bench.plugin import pytest_benchmark_update_commit_info
from targetrl_core import UsageError
from tests.test_compare import saved

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not here")


def git(folder: Path, *arguments: str) -> str:
    """What git says in a folder."""
    who = ("-c", "user.name=x", "-c", "user.email=x@y")
    command = ["git", *who, *arguments]  # the first on the PATH
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package in a work tree, committed."""
    folder = tmp_path / "project" / "package"
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "first")
    return folder


def test_the_commit_is_the_packages(package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked from another repository, or in a hook of one, the commit is still that of the package's own."""
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "--quiet")
    git(other, "commit", "--quiet", "--allow-empty", "--message", "other")
    monkeypatch.chdir(other)
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    info = commit_info(package)
    monkeypatch.undo()
    assert info["id"] == git(package, "rev-parse", "HEAD") != git(other, "rev-parse", "HEAD")
    assert info["dirty"] is False


def test_changes_are_told(package: Path) -> None:
    """Changed files that git tracks are uncommitted changes; files that it does not track are none."""
    (package / "new.py").touch()
    assert commit_info(package)["dirty"] is False
    (package / "__init__.py").write_text("changed = 1\n")
    assert commit_info(package)["dirty"] is True


def test_what_git_does_not_track_has_no_commit(package: Path, tmp_path: Path) -> None:
    """A package in no work tree, or installed into one that does not track it, has an unknown commit, and unknown changes."""
    installed = package.parent / ".venv" / "package"
    for folder in (tmp_path / "nowhere", installed):
        shutil.copytree(package, folder, ignore=shutil.ignore_patterns(".git"))
        assert (commit_info(folder)["id"], commit_info(folder)["dirty"]) == (None, None)


def test_a_repository_without_commits_has_none(tmp_path: Path) -> None:
    """What is staged and not committed has no commit."""
    (tmp_path / "__init__.py").touch()
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    assert commit_info(tmp_path)["id"] is None


def test_without_git_nothing_is_known(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without git both are null: not a commit named unversioned without changes."""
    monkeypatch.setenv("PATH", "/nowhere")
    assert (commit_info(package)["id"], commit_info(package)["dirty"]) == (None, None)


def test_pytest_benchmarks_own_part_names_the_same() -> None:
    """What pytest-benchmark found in the working directory is replaced as a whole."""
    theirs: dict[str, Any] = {"id": "of another repository", "error": "x"}
    pytest_benchmark_update_commit_info(theirs)
    assert theirs == commit_info()


def test_a_run_from_another_repository_names_its_own(package: Path, tmp_path: Path) -> None:
    """Timed from inside another project's work tree, both parts of the evidence name this project's commit, or that it is unknown."""
    results, stock = tmp_path / "results", tmp_path / "stock.json"
    command = [sys.executable, "-m", "pytest", str(ROOT / "bench" / "test_latency.py"), "-c", str(ROOT / "pyproject.toml"),
               "--rootdir", str(ROOT), "--benchmark-only", "--device=cpu", "--label=some", f"--results={results}", "-k", "batched]",
               f"--benchmark-json={stock}", "-p", "tests.brief", "-p", "no:cacheprovider"]  # fmt: skip
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    run = subprocess.run(command, cwd=package, capture_output=True, text=True, check=False, env=environment)
    assert run.returncode == 0, run.stdout + run.stderr
    content, plain = json.loads((results / "some-cpu.json").read_text()), json.loads(stock.read_text())
    expected = commit_info()["id"]
    assert expected != git(package, "rev-parse", "HEAD")
    assert [content["targetrl"]["fingerprint"]["commit"], content["commit_info"]["id"], plain["commit_info"]["id"]] == [expected] * 3


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"commit": None, "dirty": None}, "targetrl.fingerprint.commit is unknown in a-cpu.json and unknown in b-cpu.json"),
        ({"commit": "unversioned", "dirty": False}, "targetrl.fingerprint.commit is unknown in a-cpu.json and unknown in b-cpu.json"),
        ({"commit": "a", "dirty": None}, "targetrl.fingerprint.dirty is unknown in a-cpu.json and unknown in b-cpu.json"),
    ],
)
def test_unknown_equals_nothing(facts: dict[str, Any], message: str, tmp_path: Path) -> None:
    """Two files of unknown commits are not of one commit: refused by the key, unless commits may be mixed."""
    paths = [saved(tmp_path / f"{name}-cpu.json", **facts) for name in "ab"]
    with pytest.raises(UsageError, match=f"^{message}; --mixed-commits compares them all the same$"):
        columns.read(paths)
    assert len(columns.read(paths, mixed_commits=True)) == 2
