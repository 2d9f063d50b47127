"""Which commit is timed: that of the package that runs, whatever the working directory."""

import os
import subprocess
from pathlib import Path
from typing import Any

import targetrl_core

PACKAGE = Path(targetrl_core.__file__).parent

SECONDS = 30.0
"""How long git may take."""


def git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes] | None:
    """Ask git about a folder; None where there is no git, or it does not answer.

    What a hook of git sets for its own repository says nothing of this folder's.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_") or name.startswith("GIT_CONFIG")}
    command = ["git", "--no-optional-locks", *arguments]
    try:
        return subprocess.run(  # noqa: S603 — git, with arguments of the caller's own
            command, cwd=folder, capture_output=True, env=environment, check=False, timeout=SECONDS
        )
    except (OSError, subprocess.SubprocessError):
        return None


def commit_info(folder: Path = PACKAGE) -> dict[str, Any]:
    """What pytest-benchmark's files tell of a commit; ``id`` and ``dirty`` are None where git tracks nothing of the folder.

    ``dirty`` tells of changes to tracked files. An installed package may lie in the work tree of another project, which does not track it.
    """
    unknown = {"id": None, "time": None, "author_time": None, "dirty": None, "project": "targetrl", "branch": None}
    if not _lines(folder, "ls-files", "--error-unmatch", "--", "__init__.py"):
        return unknown
    shown = _lines(folder, "show", "--no-patch", "--format=%H%n%cI%n%aI", "HEAD")
    branch = _lines(folder, "rev-parse", "--abbrev-ref", "HEAD")
    changes = _lines(folder, "status", "--porcelain", "--untracked-files=no")
    if not shown or changes is None:
        return unknown
    known = dict(zip(("id", "time", "author_time"), shown, strict=True))
    return unknown | known | {"dirty": bool(changes), "branch": branch[0] if branch else None}


def _lines(folder: Path, *arguments: str) -> list[str] | None:
    """What git says; None where it fails."""
    answer = git(folder, *arguments)
    return answer.stdout.decode(errors="replace").splitlines() if answer and answer.returncode == 0 else None
