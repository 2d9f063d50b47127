"""Built kernels, kept where nobody but their user can write, under names that hold the hash of what is in them.

What is loaded runs as the user who loads it. So the folder has to be the user's own, of mode 0700 and no link, and a file is loaded only
if it is a regular one, the user's, and holds what was built.
"""

import hashlib
import os
import stat
import sys
from pathlib import Path

from targetrl_core.errors import UsageError

FOLDER = "kernels"
"""In the user's folder for caches, or the one that is named: its own, so that no mode of a folder of the user's is touched."""

WAY_OUT = "name a folder that can be written with TARGETRL_CACHE_DIR"


def folder() -> Path:
    """The folder, made where it is missing.

    Raises:
        UsageError: it cannot be made, or somebody else could write in it; names the folder and the way out.
    """
    path = _above() / FOLDER
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(mode=stat.S_IRWXU, exist_ok=True)
        why = _why_not_private(path)
    except OSError as error:
        raise UsageError(f"{path.parent}: {error.strerror}; {WAY_OUT}") from error
    if why is not None:
        raise UsageError(f"{path} {why}; what lies there is not loaded: remove it, or {WAY_OUT}")
    return path


def find(name: str) -> Path | None:
    """The file that is kept under a name; None where there is none, or none that is whole and the user's."""
    return next((path for path in sorted(folder().glob(f"{name}-*.so")) if _is_as_kept(path)), None)


def keep(built: Path, name: str) -> Path:
    """Move a built file to where it is found by its name, in one step, so that no process meets half of it."""
    with built.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return built.replace(folder() / f"{name}-{digest}.so")


def _above() -> Path:
    """TARGETRL_CACHE_DIR, or the user's folder for caches."""
    named = os.environ.get("TARGETRL_CACHE_DIR")
    if named:
        return Path(named).absolute()
    xdg = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if sys.platform != "darwin" and xdg.is_absolute():  # a relative one is to be ignored, says the XDG specification
        return xdg / "targetrl"
    try:
        home = Path.home()
    except RuntimeError as error:
        raise UsageError(f"no home folder is known to keep built kernels in; {WAY_OUT}") from error
    return home.absolute() / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "targetrl"


def _why_not_private(path: Path) -> str | None:
    """Why somebody else may have put files into a folder, or may put another in its place; None where nobody can.

    Members of a group that may write above it are trusted.
    """
    status = path.lstat()
    if not stat.S_ISDIR(status.st_mode):
        return "is a link" if stat.S_ISLNK(status.st_mode) else "is no folder"
    if status.st_uid != os.geteuid():
        return f"belongs to another user ({status.st_uid})"
    if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        return f"has mode {stat.S_IMODE(status.st_mode):04o}, not 0700"
    for above in path.resolve().parents:
        mode = above.stat().st_mode
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            return f"lies in {above}, where everyone may replace it"
    return None


def _is_as_kept(path: Path) -> bool:
    """Whether a file is a regular one of the user's and has the hash that its name says; a link is not followed."""
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
                return False
            return path.stem.endswith(f"-{hashlib.file_digest(file, 'sha256').hexdigest()}")
    except OSError:
        return False
