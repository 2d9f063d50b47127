"""The C++ compiler of this machine, and what it has built so far."""

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import torch

from targetrl_core.errors import SYSTEM_ERRORS, Fault, UsageError, complaint
from targetrl_core.fused import cache as kept
from targetrl_core.fused.kernel import SOURCES

COMPILERS = ("c++", "g++", "clang++")

FLAGS = (
    "-std=c++17",
    "-O3",
    "-ffp-contract=off",  # what is fused is fused by name
    "-fno-math-errno",
    "-fno-trapping-math",
    "-Wno-psabi",
    "-fPIC",
    "-shared",
)


def why_no_compiler() -> str | None:
    """Why kernels cannot be built here, or None."""
    if sys.platform == "win32":
        return "its kernel needs GCC's or Clang's vector types, which Windows' compiler lacks"
    if compiler() is None:
        return Fault(f"it needs a C++ compiler ({', '.join(COMPILERS)}) on the PATH")
    return None


def library(source: str, macros: Mapping[str, str], flags: tuple[str, ...] | None = None) -> ctypes.CDLL:
    """The library built from a source file, at its first use on this machine.

    Args:
        source: name of a file beside this one, or the path of another; both may include what lies here.
        macros: what is defined for it.
        flags: for which processor; by default for this one.

    Raises:
        UsageError: the compiler failed, with the line of its complaint that names the cause, or the cache's folder cannot be written or run
            from, or is not private.
    """
    target = processor_flags() if flags is None else flags
    options = (*target, *(f"-D{name}={value}" for name, value in macros.items()))
    name = f"{Path(source).stem}-{_key(source, options)}"
    folder = kept.folder()
    try:
        return ctypes.CDLL(str(kept.find(name) or _build(source, options, name)))
    except OSError as error:
        why = error.strerror or str(error)
        raise UsageError(f"{folder}: {why}; name a folder that can be written, and run from, with TARGETRL_CACHE_DIR") from error


def processor_flags() -> tuple[str, ...]:
    """What makes the compiler use all that this processor has."""
    return ("-march=native",) if platform.machine().lower() in {"x86_64", "amd64"} else ("-mcpu=native",)


@cache
def compiler() -> str | None:
    """The first C++ compiler on the PATH."""
    return next((path for path in map(shutil.which, COMPILERS) if path), None)


@cache
def _key(source: str, options: tuple[str, ...]) -> str:
    """What a built file depends on: sources, options, compiler, processor and the OpenMP library it is linked to."""
    headers = {path for folder in (SOURCES, (SOURCES / source).parent) for path in folder.glob("*.h")}
    texts = [path.read_bytes() for path in (SOURCES / source, *sorted(headers))]
    about = (*FLAGS, *options, *_openmp(), _compiler_version(), _processor())
    return hashlib.sha256(b"\0".join([*texts, *(part.encode() for part in about)])).hexdigest()[:20]


@cache
def _compiler_version() -> str:
    path = compiler()
    if path is None:
        raise UsageError(str(why_no_compiler()))
    shown = _run([path, "--version"]).stdout
    return f"{path} {shown.partition(chr(10))[0]}"


def _run(command: list[str], **variables: str) -> subprocess.CompletedProcess[str]:
    """Call the compiler. Raises UsageError where it is none that runs."""
    environment = os.environ | variables | {"LC_ALL": "C"}  # its complaints are searched for English words
    try:
        return subprocess.run(  # noqa: S603 — found on the PATH
            command, capture_output=True, encoding="utf-8", errors="replace", env=environment, check=False
        )
    except OSError as error:
        raise UsageError(f"{command[0]} cannot be run: {error.strerror}") from error


@cache
def _processor() -> str:
    """The processor's model and abilities: code built for one may not run on another."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").split("\n\n")[0].splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    return "\n".join(line for line in lines if line.startswith(("model", "flags", "Features", "CPU")))


@cache
def _openmp() -> tuple[str, ...]:
    """How to link OpenMP: to the very library that torch uses, where it is found, so that both share one pool of threads."""
    if sys.platform == "darwin":
        return ("-Xclang", "-fopenmp", str(Path(torch.__file__).parent / "lib" / "libomp.dylib"))
    return (*(str(path) for path in _loaded_openmp()), "-fopenmp")


def _loaded_openmp() -> list[Path]:
    try:
        lines = Path("/proc/self/maps").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    mapped = {Path(line.split(maxsplit=5)[5]) for line in lines if "/libgomp" in line}
    return sorted(mapped)[:1]


def _build(source: str, options: tuple[str, ...], name: str) -> Path:
    """Build into a folder of its own, inside the private one, and keep what comes of it."""
    with tempfile.TemporaryDirectory(dir=kept.folder()) as folder:
        built = Path(folder) / f"{name}.so"
        command = [
            str(compiler()),
            *FLAGS,
            *options,
            f"-I{SOURCES}",
            str(SOURCES / source),
            "-Wl,--as-needed",
            *_openmp(),
            "-o",
            str(built),
        ]
        if sys.platform == "darwin":
            command.remove("-Wl,--as-needed")
        done = _run(command, TMPDIR=folder)  # what it writes meanwhile too: the system's folder may be full, or none
        if done.returncode or not built.exists():
            raise UsageError(f"{Path(command[0]).name} could not build {source}: {_complaint(done)}")
        return kept.keep(built, name)


def _complaint(done: subprocess.CompletedProcess[str]) -> str:
    cause = complaint(done.stderr.strip() or f"no message, exit status {done.returncode}")
    return cause if not any(text in cause for text in SYSTEM_ERRORS) else f"{cause}; {kept.WAY_OUT}"
