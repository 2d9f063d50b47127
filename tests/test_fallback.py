"""Where this machine keeps a variant from running, everything agrees on it and gives the reason, and `auto` goes on and says so."""

import json
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from targetrl_core import Population, Problem, UsageError, stream, train, training
from targetrl_core.cli import main
from targetrl_core.errors import FallbackWarning, complaint
from targetrl_core.fused import compiler, cpu, cuda
from targetrl_core.variants import BUILT_IN, Train, find_variant
from targetrl_core.variants.fused import FUSED

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no kernels of its own")

CPU = torch.device("cpu")
FULL_DISK = """/usr/bin/ld: final link failed: No space left on device
collect2: error: ld returned 1 exit status"""


def forget() -> None:
    """Let the next kernel be looked for anew."""
    forget_compiler()
    cpu.built.cache_clear()
    training._prepared.cache_clear()  # noqa: SLF001


def forget_compiler() -> None:
    """Let the compiler be looked for anew."""
    for remembered in (compiler.compiler, compiler._compiler_version, compiler._key):  # noqa: SLF001 — what a process remembers
        remembered.cache_clear()


@pytest.fixture(autouse=True)
def afresh() -> Iterator[None]:
    """No kernel is loaded when a test begins, and none that it built when it ends."""
    forget()
    yield
    forget()


@dataclass
class BadMachine:
    """What a test does to the machine."""

    folder: Path
    patch: pytest.MonkeyPatch

    def without_home(self) -> None:
        """A container without a home."""
        for name in ("TARGETRL_CACHE_DIR", "XDG_CACHE_HOME"):
            self.patch.delenv(name, raising=False)
        self.patch.setenv("HOME", "/dev/null/home")

    def with_compiler(self, complaint: str, code: int = 1) -> None:
        """A compiler that says its version, complains, and ends."""
        program = self.folder / "c++"
        program.write_text(f'#!/bin/sh\ntest "$1" = --version && exit 0\ncat >&2 <<END\n{complaint}\nEND\nexit {code}\n')
        program.chmod(0o755)
        self.patch.setenv("PATH", f"{self.folder}{os.pathsep}{os.environ['PATH']}")
        self.patch.setenv("TARGETRL_CACHE_DIR", str(self.folder / "cache"))
        forget_compiler()

    def with_folder_nobody_runs_from(self) -> None:
        """A cache that is mounted noexec: the system refuses to map what was built."""

        def refuse(path: str) -> None:
            raise OSError(f"{path}: failed to map segment from shared object")

        self.with_compiler("", 0)
        (self.folder / "c++").write_text('#!/bin/sh\nfor last; do :; done\ntest "$1" = --version || echo built > "$last"\n')
        self.patch.setattr("ctypes.CDLL", refuse)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BadMachine:
    """This machine, to spoil."""
    return BadMachine(tmp_path, monkeypatch)


FAULTS: dict[str, tuple[Callable[[BadMachine], None], str]] = {
    "no home": (BadMachine.without_home, "/dev/null/home/.cache/targetrl: Not a directory; name a folder"),
    "full disk": (
        lambda machine: machine.with_compiler(FULL_DISK),
        "could not build cpu.cpp: /usr/bin/ld: final link failed: No space",
    ),
    "failing": (lambda machine: machine.with_compiler("In file a.h:\nx.cpp:1: error: no such thing"), "cpu.cpp: x.cpp:1: error: no such"),
    "silent": (lambda machine: machine.with_compiler("", 3), "c++ could not build cpu.cpp: no message, exit status 3"),
    "building nothing": (lambda machine: machine.with_compiler("", 0), "c++ could not build cpu.cpp: no message, exit status 0"),
    "noexec": (
        BadMachine.with_folder_nobody_runs_from,
        "failed to map segment from shared object; name a folder that can be",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_machine_that_cannot_build_is_a_reason(fault: str, machine: BadMachine) -> None:
    """No home, a full disk, a compiler that fails or builds nothing, a folder nothing runs from: fused says which; train refuses it."""
    spoil, reason = FAULTS[fault]
    spoil(machine)
    assert reason in str(FUSED.unsupported(Problem(), CPU, 100))
    with pytest.raises(UsageError, match="variant fused cannot run here: ") as refused:
        train(Problem(), Population.initialise(3), variant="fused")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("fault", FAULTS)
def test_auto_goes_on_and_says_why(fault: str, machine: BadMachine) -> None:
    """Where fused cannot be built, the next variant trains, and one warning names both, and the cause."""
    spoil, reason = FAULTS[fault]
    spoil(machine)
    with pytest.warns(FallbackWarning, match="^fused cannot run here: .* trains instead$") as warned:
        run = train(Problem(steps=2), Population.initialise(3))
    assert run.variant != "fused"
    [line] = [str(warning.message) for warning in warned if warning.category is FallbackWarning]
    assert reason in line
    assert f"{run.variant} trains instead" in line


def test_the_kernel_that_is_asked_about_is_the_one_that_trains(machine: BadMachine) -> None:
    """What one problem's kernel was built for says nothing of another's: each is tried."""
    assert FUSED.unsupported(Problem(), CPU, 1) is None
    machine.with_compiler("error: no")
    assert FUSED.unsupported(Problem(), CPU, 1) is None
    assert FUSED.unsupported(Problem(objective="reinforce", lr=[0.1, 0.2]), CPU, 2) is not None


@pytest.mark.parametrize("command", [["train", "--population", "300"], ["sweep", "--x", "lr=0.1:1:3", "--y", "target=0.2:0.8:3", "-o"]])
def test_a_command_says_in_one_line_what_trains_instead(
    command: list[str], machine: BadMachine, capsys: pytest.CaptureFixture[str]
) -> None:
    """`targetrl` goes on, and tells variant and cause on the error output, once, without Python's frame."""
    machine.without_home()
    command = [*command, str(machine.folder / "x.png")] if command[-1] == "-o" else command
    assert main([*command, "--steps", "2", "--json"]) == 0
    shown = capsys.readouterr()
    lines = [line for line in shown.err.splitlines() if "targetrl:" in line]
    assert len(lines) == 1
    assert lines[0].startswith("targetrl: fused cannot run here: /dev/null/home/.cache/targetrl: Not a directory; name a folder")
    assert lines[0].endswith(f"; {json.loads(shown.out)['variant']} trains instead")


def test_devices_agrees(machine: BadMachine, capsys: pytest.CaptureFixture[str]) -> None:
    """`targetrl devices` calls fused available only where it can be built."""
    machine.without_home()
    assert main(["devices"]) == 0
    [line] = [line for line in capsys.readouterr().out.splitlines() if " fused " in line]
    assert "not available: /dev/null/home/.cache/targetrl: Not a directory" in line


def test_auto_goes_on_where_preparing_fails(machine: BadMachine) -> None:
    """A variant that says it can run, and then cannot be prepared, is passed over too, and named beside the first."""

    def fail(*_: object) -> Train:
        raise UsageError("the disk has filled")

    machine.without_home()
    broken = find_variant("batched-compiled")._replace(prepare=fail, unsupported=lambda *_: None)
    machine.patch.setattr(training, "BUILT_IN", tuple(broken if v.name == broken.name else v for v in BUILT_IN))
    expected = "fused cannot run here: .*; batched-compiled cannot run here: the disk has filled; batched trains instead"
    with pytest.warns(FallbackWarning, match=expected):
        *_, summary = stream(Problem(steps=2), 100)
    assert summary.variant == "batched"


def test_what_does_not_exist_on_a_device_is_no_fault() -> None:
    """Where nothing is amiss, auto says nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert train(Problem(steps=2), Population.initialise(3)).variant == "fused"


@pytest.mark.parametrize(
    ("output", "line"),
    [
        (FULL_DISK, "/usr/bin/ld: final link failed: No space left on device"),
        ("note: x\na.cpp:3:1: error: no\nfatal error: more", "a.cpp:3:1: error: no"),
        ("error: first\nas: /tmp/x: Read-only file system", "as: /tmp/x: Read-only file system"),
        ("\n  Killed \n", "Killed"),
        ("", "no message"),
    ],
)
def test_the_line_that_names_the_cause_is_taken(output: str, line: str) -> None:
    """The system's own error comes before what a compiler calls one, and that before whatever else it says."""
    assert complaint(output) == line


def test_nvrtc_and_drivers_fail_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """On CUDA, too, what the compiler complains of is a reason of one line."""

    def core() -> None:
        raise RuntimeError("NVRTC_ERROR_COMPILATION (6)\ncuda.cu(3): error: no such thing\n1 error detected")

    monkeypatch.setattr(cuda, "_cuda_core", core)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _index: (9, 0))
    with pytest.raises(UsageError, match=r"^NVRTC could not build the kernel: RuntimeError: cuda\.cu\(3\): error: no such thing$"):
        cuda.built("source", "train", 0)


def test_a_full_folder_for_what_compilers_leave_is_no_matter(machine: BadMachine) -> None:
    """What the compiler writes meanwhile lies in the cache too: the system's folder may be full, or missing."""
    machine.patch.setenv("TARGETRL_CACHE_DIR", str(machine.folder / "cache"))
    machine.patch.setenv("TMPDIR", "/dev/null/tmp")
    assert FUSED.unsupported(Problem(), CPU, 1) is None
