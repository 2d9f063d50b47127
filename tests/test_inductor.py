"""What keeps torch.compile from building is one line with a way out, seen beforehand or at whichever call it comes up."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from targetrl_core import Population, Problem, UsageError, inductor, train
from targetrl_core.devices import why_not_compiled
from targetrl_core.errors import Fault
from targetrl_core.variants import compiling
from targetrl_core.variants.compiling import compiled

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has another compiler")

CPU = torch.device("cpu")
WAY_OUT = "name another folder with TORCHINDUCTOR_CACHE_DIR"


@pytest.fixture(autouse=True)
def afresh() -> Iterator[None]:
    """What was tried before and after a test says nothing in it."""
    inductor._build_nothing.cache_clear()  # noqa: SLF001 — what a process remembers
    yield
    inductor._build_nothing.cache_clear()  # noqa: SLF001


def program(path: Path, complaint: str, code: int = 1) -> str:
    """A compiler that complains and ends."""
    path.write_text(f"#!/bin/sh\ncat >&2 <<END\n{complaint}\nEND\nexit {code}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize("name", ["a b", "a'b", 'a"b', "a\\b", "a\nb", "a\tb"])
def test_a_folder_that_breaks_commands_is_named_beforehand(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blanks, quotes and backslashes in the cache's name take Inductor's command lines apart: train refuses them in one line."""
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / name))
    with pytest.raises(
        UsageError, match=r"variant batched-compiled cannot run here: torch.compile cannot build in .*; name another"
    ) as refused:
        train(Problem(), Population.initialise(16), variant="batched-compiled")
    assert "\n" not in str(refused.value)
    assert isinstance(why_not_compiled(CPU), Fault)
    assert not (tmp_path / name).exists()


@pytest.mark.parametrize("name", ["plain", "a;b", "a$b", "a#b", "a&b", "a%b", "a(b", "a,b", "aéb", "a{b", "a:b"])
def test_any_other_folder_is_taken(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever torch.compile can build in is not refused."""
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / name))
    assert why_not_compiled(CPU) is None


def test_a_folder_that_cannot_be_made_is_named_beforehand(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache that cannot be is a reason, with the system's word for it."""
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", "/dev/null/x")
    assert why_not_compiled(CPU) == f"torch.compile cannot build in /dev/null/x: Not a directory; {WAY_OUT}"


def test_no_temporary_folder_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no cache is named and this system has no folder for what is temporary, that is the reason."""

    def nowhere() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")

    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR", raising=False)
    monkeypatch.setattr("tempfile.gettempdir", nowhere)
    assert (
        why_not_compiled(CPU)
        == f"torch.compile cannot build in a temporary folder: No usable temporary directory found in ['/tmp']; {WAY_OUT}"
    )


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_closed_folder_is_named_beforehand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache that nothing may be written into is a reason."""
    tmp_path.chmod(0o500)
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    assert why_not_compiled(CPU) == f"torch.compile cannot write to {tmp_path}; {WAY_OUT}"


def test_a_compiler_that_fails_is_named_beforehand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The compiler that torch.compile is about to call is tried: its complaint is the reason, on a full disk the line that says so."""
    full = "ld: final link failed: No space left on device\ncollect2: error: ld returned 1 exit status"
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("CXX", program(tmp_path / "mine++", full))
    reason = str(why_not_compiled(CPU))
    assert reason.startswith(
        f"torch.compile cannot build with mine++ in {tmp_path}: ld: final link failed: No space left on device; CXX names"
    )
    assert reason.endswith("another folder with TORCHINDUCTOR_CACHE_DIR")


def test_a_folder_that_nothing_runs_from_is_named_beforehand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache that is mounted noexec is a reason."""

    def refuse(path: str) -> None:
        raise OSError(f"{path}: failed to map segment from shared object")

    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr("ctypes.CDLL", refuse)
    assert "failed to map segment from shared object; name another folder" in str(why_not_compiled(CPU))


def test_the_compiler_that_cxx_names_has_to_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another compiler on the PATH is of no use where torch.compile calls the one that CXX names."""
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert "needs a C++ compiler" in str(why_not_compiled(CPU))


def cpp_error() -> Exception:
    """What Inductor raises where the compiler fails."""
    from torch._inductor.exc import CppCompileError, InductorError

    output = "a.cpp: note: x\nas: /tmp/x.s: No space left on device\na.cpp:1: error: lost"
    return InductorError(CppCompileError(["g++", "-Werror"], output), None)


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (cpp_error, "as: /tmp/x.s: No space left on device"),
        (lambda: OSError(28, "No space left on device"), "No space left on device"),
        (lambda: PermissionError(13, "Permission denied", "/x/lock"), "/x/lock: Permission denied"),
        (lambda: ImportError("/x/y.so: failed to map segment from shared object"), "/x/y.so: failed to map segment from shared object"),
    ],
    ids=["compiler", "disk", "file", "noexec"],
)
def test_what_fails_at_a_call_is_one_line(error: Callable[[], Exception], cause: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever call it is at which building fails, the first or one that compiles anew: a UsageError with the cause and the way out."""

    def broken(*_: object, **__: object) -> None:
        raise error()

    monkeypatch.setattr(torch, "compile", lambda *_, **__: broken)

    def double(x: torch.Tensor) -> torch.Tensor:
        return x * 2

    with pytest.raises(UsageError) as failed:
        compiled(double)(torch.ones(1))
    line = str(failed.value)
    assert line.startswith(f"torch.compile could not build double: {cause}; ")
    assert line.endswith(WAY_OUT)
    assert "\n" not in line


def test_a_later_build_that_fails_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A graph that ran is compiled anew for another size: where the cache has gone bad meanwhile, that is a UsageError too."""

    def halve(x: torch.Tensor) -> torch.Tensor:
        return x / 2

    call = compiled(halve)
    assert call(torch.ones(1, 3)).sum() == 1.5
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "a b"))
    with pytest.raises(UsageError, match=rf"^torch.compile could not build halve: .*{WAY_OUT}$"):
        call(torch.ones(2, 5))


def test_what_a_function_raises_is_its_own() -> None:
    """An error of what was compiled is no fault of the machine."""
    assert compiling._why_not_built(ValueError("x")) is None  # noqa: SLF001
    assert compiling._why_not_built(RuntimeError("x")) is None  # noqa: SLF001
