"""The cache of built kernels: no other user can plant a library in it, and nothing is loaded from it but what was built."""

import ctypes
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from targetrl_core import UsageError
from targetrl_core.fused import cache, compiler

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no kernels of its own")


@pytest.fixture
def above(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the private one is to lie in."""
    monkeypatch.setenv("TARGETRL_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    """What would be loaded, instead of loading it; and a compiler that builds the same few bytes at once."""
    loaded: list[bytes] = []
    monkeypatch.setattr(ctypes, "CDLL", lambda path: loaded.append(Path(path).read_bytes()))
    compile_nothing = subprocess.CompletedProcess([], 0, "", "")

    def compiled(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        if "-o" in command:
            Path(command[-1]).write_bytes(b"as built")
        return compile_nothing

    monkeypatch.setattr(subprocess, "run", compiled)
    yield loaded
    compiler._compiler_version.cache_clear()  # noqa: SLF001 — it has asked the compiler that is none
    compiler._key.cache_clear()  # noqa: SLF001


def test_the_folder_is_private(above: Path) -> None:
    """It is made with mode 0700 whatever the umask, in a folder whose own mode is left as it is."""
    above.mkdir(mode=0o755)
    with ExitStack() as stack:
        stack.callback(os.umask, os.umask(0))
        folder = cache.folder()
    assert folder == above / "kernels"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert above.stat().st_mode & 0o777 == 0o755
    assert cache.folder() == folder


def linked(above: Path) -> None:
    """A link in its place, to a folder that would do."""
    (above / "elsewhere").mkdir(mode=0o700)
    (above / "kernels").symlink_to(above / "elsewhere")


def opened(mode: int) -> Callable[[Path], None]:
    """A folder with another mode."""

    def make(above: Path) -> None:
        (above / "kernels").mkdir()
        (above / "kernels").chmod(mode)

    return make


def exposed(above: Path) -> None:
    """A private folder where everyone may put another in its place."""
    opened(0o700)(above)
    above.chmod(0o777)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (linked, "is a link"),
        (lambda above: (above / "kernels").touch(), "File exists"),
        (opened(0o755), "has mode 0755, not 0700"),
        (opened(0o770), "has mode 0770, not 0700"),
        (opened(0o1777), "has mode 1777, not 0700"),
        (exposed, "lies in .*/cache, where everyone may replace it"),
    ],
    ids=["link", "file", "readable", "group", "everyone", "exposed"],
)
def test_a_folder_that_is_not_private_is_refused(make: Callable[[Path], object], why: str, above: Path, loaded: list[bytes]) -> None:
    """A link, a mode that lets others in, or a place where it can be replaced: one line, and nothing is loaded."""
    above.mkdir()
    make(above)
    with pytest.raises(UsageError, match=rf"{re.escape(str(above))}.*{why}.*TARGETRL_CACHE_DIR"):
        compiler.library("cpu.cpp", {})
    assert not loaded


def test_another_users_folder_is_refused(above: Path, loaded: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that was made by another user, with whatever mode, is named with its owner, and nothing is loaded from it."""
    opened(0o700)(above.parent)
    monkeypatch.setenv("TARGETRL_CACHE_DIR", str(above.parent))
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(UsageError, match=rf"kernels belongs to another user \({owner}\)"):
        compiler.library("cpu.cpp", {})
    assert not loaded


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can act as another user")
def test_another_user_cannot_write_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process of another user, which reaches the folder above, can neither put a file into the private one nor see what is there."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        monkeypatch.setenv("TARGETRL_CACHE_DIR", name)
        for command in (["touch", cache.folder() / "cpu-0-0.so"], ["ls", cache.folder()], ["mv", cache.folder(), f"{name}/other"]):
            ran = subprocess.run([str(word) for word in command], user=65534, capture_output=True, text=True, check=False)
            assert "Permission denied" in ran.stderr


def replaced(path: Path) -> None:
    """Other bytes under the same name."""
    path.write_bytes(b"planted")


def cut(path: Path) -> None:
    """What a full disk or a lost write leaves."""
    path.write_bytes(b"as b")


def link(path: Path) -> None:
    """A link to a file that has the very bytes."""
    path.rename(path.with_suffix(".elsewhere"))
    path.symlink_to(path.with_suffix(".elsewhere"))


@pytest.mark.parametrize("change", [replaced, cut, link])
def test_only_what_was_built_is_loaded(change: Callable[[Path], None], above: Path, loaded: list[bytes]) -> None:
    """A kept file whose bytes are not those that its name has the hash of, or a link, is not loaded but built anew."""
    compiler.library("cpu.cpp", {})
    [kept] = (above / "kernels").iterdir()
    change(kept)
    compiler.library("cpu.cpp", {})
    assert loaded == [b"as built"] * 2
    assert not kept.is_symlink()
    assert kept.read_bytes() == b"as built"


def test_another_users_file_is_not_loaded(above: Path, loaded: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even in the private folder is a file taken that belongs to somebody else, right though its hash is."""
    compiler.library("cpu.cpp", {})
    [kept] = (above / "kernels").iterdir()
    before, real = kept.stat().st_ino, os.fstat

    def foreign(descriptor: int) -> os.stat_result:
        status = real(descriptor)
        return os.stat_result((*status[:4], status.st_uid + 1, *status[5:]))

    monkeypatch.setattr(os, "fstat", foreign)
    assert cache.find(kept.stem.rpartition("-")[0]) is None
    compiler.library("cpu.cpp", {})
    assert kept.stat().st_ino != before
    assert loaded == [b"as built"] * 2


def test_a_file_under_another_name_is_not_taken(above: Path, loaded: list[bytes]) -> None:
    """What was built of one source is not found under the key of another."""
    compiler.library("cpu.cpp", {})
    compiler.library("cpu.cpp", {"VECTORS": "1"})
    assert len(list((above / "kernels").iterdir())) == len(loaded) == 2


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"TARGETRL_CACHE_DIR": "named"}, "named/kernels"),
        ({"XDG_CACHE_HOME": "/somewhere"}, "/somewhere/targetrl/kernels"),
        ({"XDG_CACHE_HOME": "relative"}, "home/.cache/targetrl/kernels"),
        ({"XDG_CACHE_HOME": ""}, "home/.cache/targetrl/kernels"),
    ],
    ids=str,
)
@pytest.mark.skipif(sys.platform == "darwin", reason="macOS has a folder of its own")
def test_the_environment_says_where(variables: dict[str, str], expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A named folder, then XDG's unless it is relative, then the user's home."""
    for name in ("TARGETRL_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Path, "mkdir", lambda *_, **__: None)
    monkeypatch.setattr(cache, "_why_not_private", lambda _: None)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert cache.folder() == tmp_path / expected


def test_without_a_home_the_way_out_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no home folder is known, the error says how to name a folder."""

    def unknown() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("TARGETRL_CACHE_DIR", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", unknown)
    with pytest.raises(UsageError, match=r"^no home folder is known .*TARGETRL_CACHE_DIR$"):
        cache.folder()
