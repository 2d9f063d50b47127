"""All that is to be known of a GPU, in eight minutes (`make gpu`); with --device cpu, rehearsed in two.

A part is a command with a limit: what is broken or hangs costs itself alone. In the folder lie, in the end, at most eight files of 16 MiB:
summary.json, which is written anew after each part, log.txt, and the evidence of the parts that time.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import psutil

from bench.evidence.files import ROOT, write_atomically
from targetrl_core.errors import UsageError
from targetrl_core.files import check_writable

NEEDED = ("numpy", "pytest", "pytest_benchmark", "tqdm", "tabulate", "msgspec", "shtab", "filelock")
"""Without which no part can run; psutil is imported above, and torch is the machine's."""

VERSIONS = ("torch", "triton", "cuda-core", "nvidia-ml-py", "jax", "jaxlib", "jax-cuda13-plugin", "numba", "numpy", "pytest-benchmark")
MOST_FILES, MOST_BYTES, LOG_BYTES = 8, 16 * 2**20, 2**20
"""Files of the folder, the size of each, and what is kept of the output of each part: its end."""

LAST_LINES = 12
GRACE_SECONDS = 3.0
"""In which a part that is told to end may do so by itself."""

LARGE = "100000000-"


class GpuPart(NamedTuple):
    """A command of this Python, the seconds after which it is ended, and the modules without which it is skipped."""

    name: str
    limit_seconds: float
    arguments: tuple[str, ...]
    modules: tuple[str, ...] = ()
    cuda_alone: bool = False


class Outcome(NamedTuple):
    """What became of a part: ``passed``, ``failed``, ``ended at its limit`` or ``skipped``, and the last lines or the reason."""

    name: str
    status: str
    seconds: float
    limit_seconds: float
    last_lines: list[str]


def parts_of(device: str, place: Path) -> list[GpuPart]:
    """What is asked of a device, the shortest answers first; those that time leave their evidence in folders of ``place``.

    Of the CPU the same is asked with less to do, as a rehearsal.
    """
    small, pytest = device == "cpu", ("pytest", "-p", "no:cacheprovider", "-W", "default", "-rs", "--device", device)

    def timed(name: str, *arguments: str) -> tuple[str, ...]:
        return (*pytest, "--benchmark-only", "--row-timeout", "45", f"--results={place / name}", *arguments)

    tests = [f"tests/test_{name}.py" for name in ("devices", "nvml", *(() if small else ("fused", "limit", "variants")))]
    steady, cold = "bench/test_steady_state.py", "bench/test_cold_start.py"
    others = [f"bench/test_{name}.py" for name in ("again", "latency", "growth", "construction")]
    jax = ("--peers", "-k", f"jax and detached and not {LARGE}")
    verify, n = ("targetrl_core", "verify", "--device", device), "1000" if small else "100000"
    ranks = ("torch.distributed.run", "--standalone", "--nproc-per-node", "1", "-m", "targetrl_core", "train", "--device", device)
    return [
        GpuPart("devices", 15, ("targetrl_core", "devices")),
        GpuPart("bits", 55, (*pytest, "tests/test_gpu.py", *(("-k", "detached-adam--1.7") if small else ()))),
        GpuPart("graphed", 25, (*verify, "--variant", "batched-graphed", "--population", n), cuda_alone=True),
        GpuPart("verify", 30, (*verify, "--population", "30", *(("--variant", "fused", "--objective", "detached") if small else ()))),
        GpuPart("tests", 30, (*pytest, *tests, "-k", "cuda or gpu"), modules=("hypothesis",)),
        GpuPart("ranks", 25, (*ranks, "--population", n, "--objective", "pathwise")),
        GpuPart("suite", 120, timed("suite", steady, *(("--quick", "-k", "batched]") if small else (*others, "-k", f"not {LARGE}")))),
        GpuPart("large", 90, timed("large", steady, "-k", f"detached-native-{LARGE}"), cuda_alone=True),
        GpuPart("peers", 30, timed("peers", steady, *jax), modules=("jax",), cuda_alone=True),
        GpuPart("cold", 30, timed("cold", cold, *(("-k", "batched-None") if small else ()))),
    ]


def why_skipped(part: GpuPart, device: str) -> str | None:
    """Why a part is not run on a device, or None."""
    if part.cuda_alone and device != "cuda":
        return f"it needs CUDA, and the device is {device}"
    missing = [module for module in part.modules if find_spec(module) is None]
    return f"{', '.join(missing)} is not installed" if missing else None


def outcome_of(part: GpuPart, log: Path) -> Outcome:
    """Run a part to its end or to its limit, its output in a file."""
    begun = time.monotonic()
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 — a command of this project
            [sys.executable, "-m", *part.arguments], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            env=os.environ | {"PYTHONUNBUFFERED": "1", "COLUMNS": "160"}, start_new_session=True,
        )  # fmt: skip
        try:
            status = "passed" if process.wait(part.limit_seconds) == 0 else "failed"
        except subprocess.TimeoutExpired:
            status = "ended at its limit"
        finally:
            _end(process)
    last_lines = log.read_bytes()[-LOG_BYTES:].decode(errors="replace").splitlines()[-LAST_LINES:]
    return Outcome(part.name, status, round(time.monotonic() - begun, 2), part.limit_seconds, last_lines)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Have a part, and all that it has started, end: told to first, and then made to. Ranks have sessions of their own."""
    try:
        started = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        started = []
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    for child in started:
        if child.is_running():
            child.kill()


def run_all(parts: Sequence[GpuPart], device: str, folder: Path, place: Path, tell: Callable[[str], object] = print) -> list[Outcome]:
    """Run each part; after each, the folder holds what is known so far."""
    folder.mkdir(parents=True, exist_ok=True)
    outcomes: list[Outcome] = []
    packages = _versions()
    for part in parts:
        reason, log = why_skipped(part, device), place / f"{part.name}.log"
        outcomes.append(Outcome(part.name, "skipped", 0.0, part.limit_seconds, [reason]) if reason else outcome_of(part, log))
        left_out = _keep(folder, place, part.name)
        summary = {"device": device, "packages": packages, "parts": [outcome._asdict() for outcome in outcomes], "left_out": left_out}
        write_atomically(folder / "summary.json", json.dumps(summary, indent=1) + "\n")
        tell(f"{part.name}: {outcomes[-1].status}, {outcomes[-1].seconds:.1f} s of {part.limit_seconds:g} s")
    return outcomes


def _keep(folder: Path, place: Path, name: str) -> list[str]:
    """Add the end of a part's output to the log, and its evidence to the folder; returns what is too much for that."""
    log = place / f"{name}.log"
    if log.exists():
        with (folder / "log.txt").open("ab") as joined:
            joined.write(f"\n=== {name}\n".encode() + log.read_bytes()[-LOG_BYTES:])
    for path in (place / name).glob("*.json"):
        # The summary is there from the first part on.
        if path.stat().st_size <= MOST_BYTES and len(list(folder.iterdir())) < MOST_FILES - 1:
            shutil.copy(path, folder / f"{name}-{path.name}")
    kept = {path.name for path in folder.iterdir()}
    return sorted(path.name for path in place.glob("*/*.json") if f"{path.parent.name}-{path.name}" not in kept)


def _versions() -> dict[str, str]:
    """Those of the packages that would be imported, as far as they are here."""
    versions = {}
    for name in VERSIONS:
        with suppress(PackageNotFoundError):
            versions[name] = version(name)
    return versions


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The device, and a folder."""
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="cpu is a rehearsal (default: cuda)")
    parser.add_argument("--results", type=Path, default=Path("gpu-results"), metavar="DIR", help="a new folder (default: gpu-results)")


def run(options: argparse.Namespace) -> int:
    """Ask everything; 0 each part passed or was skipped for a reason, 1 one did not."""
    _check(options.device, options.results)
    with tempfile.TemporaryDirectory(prefix="targetrl-gpu-") as place:
        outcomes = run_all(parts_of(options.device, Path(place)), options.device, options.results, Path(place))
    return int(any(outcome.status not in ("passed", "skipped") for outcome in outcomes))


def _check(device: str, folder: Path) -> None:
    missing = [module for module in NEEDED if find_spec(module) is None]
    if missing:
        raise UsageError(f"{', '.join(missing)} is missing: install it, or carry its wheel and name its folder in PYTHONPATH")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"--results is {folder}; it must be a new or empty folder")
    check_writable(folder)
    from targetrl_core.devices import find_device

    find_device(device)
