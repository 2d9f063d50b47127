"""What ``torch.compile`` builds with, and where: what stands in its way, seen before it is called. Imports nothing of torch's compiler."""

import ctypes
import getpass
import os
import re
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from targetrl_core.errors import Fault, complaint, one_line

COMPILER = "clang++" if sys.platform == "darwin" else "cl" if sys.platform == "win32" else "g++"
"""What it calls where CXX names nothing else."""

WAY_OUT = "name another folder with TORCHINDUCTOR_CACHE_DIR"

_UNUSABLE = r"[ \t\r\n'\"]" if sys.platform == "win32" else r"[ \t\r\n'\"\\]"
"""What takes its command lines apart, which it makes as one text each."""

_OPTIONS = ("-shared", "-fPIC", *(() if sys.platform == "darwin" else ("-fopenmp",)))


def compiler() -> str:
    """The C++ compiler that it calls."""
    return os.environ.get("CXX", COMPILER)


def folder() -> Path:
    """Where it keeps what it builds. Raises OSError where this system has no folder for what is temporary."""
    named = os.environ.get("TORCHINDUCTOR_CACHE_DIR")
    return Path(_default_folder() if named is None else named).absolute()


def why_no_builds() -> Fault | None:
    """Why C++ cannot be built and loaded in its folder, which is tried once; None where it can."""
    path = shutil.which(compiler())
    if path is None:
        return Fault(f"torch.compile needs a C++ compiler ({COMPILER}, or what CXX names) on the PATH")
    fault = why_no_folder()
    if fault is not None or sys.platform == "win32":
        return fault
    where = folder()
    try:
        _build_nothing(path, where)
    except subprocess.CalledProcessError as error:
        cause = complaint(error.stderr.strip() or f"no message, exit status {error.returncode}")
        return Fault(f"torch.compile cannot build with {Path(path).name} in {where}: {cause}; CXX names another compiler, {WAY_OUT[5:]}")
    except OSError as error:
        return Fault(f"torch.compile cannot build in {where}: {error.strerror or error}; {WAY_OUT}")
    return None


def why_no_folder() -> Fault | None:
    """Why nothing can be kept in its folder, or None."""
    try:
        path = folder()
        if re.search(_UNUSABLE, str(path)):
            return Fault(f"torch.compile cannot build in {one_line(path)}: blanks, quotes and backslashes break its commands; {WAY_OUT}")
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return Fault(f"torch.compile cannot build in {one_line(error.filename or 'a temporary folder')}: {error.strerror}; {WAY_OUT}")
    return None if os.access(path, os.W_OK | os.X_OK) else Fault(f"torch.compile cannot write to {path}; {WAY_OUT}")


def _default_folder() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, ImportError, OSError):
        user = f"uid_{os.getuid()}" if sys.platform != "win32" else "unknown_user"
    return str(Path(tempfile.gettempdir()) / ("torchinductor_" + re.sub(r'[\\/:*?"<>|]', "_", user)))


@cache
def _build_nothing(path: str, where: Path) -> None:
    """Build and load a library of one function; once, as it takes about as long as a call of a compiler takes at least."""
    with tempfile.TemporaryDirectory(dir=where) as name:
        source, built = Path(name) / "nothing.cpp", Path(name) / "nothing.so"
        source.write_text('extern "C" int nothing() { return 0; }\n', encoding="ascii")
        command = [path, *_OPTIONS, str(source), "-o", str(built)]
        subprocess.run(  # noqa: S603 — what torch.compile is about to call
            command, capture_output=True, encoding="utf-8", errors="replace", env=os.environ | {"LC_ALL": "C"}, check=True
        )
        ctypes.CDLL(str(built))
