"""The soak: what grows from training to training is found, and what does not is left in peace."""

import functools
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.__main__ import main
from bench.upkeep import soak
from bench.upkeep.soak import BOUND_KIB, Growth, Held
from targetrl_core.fused import cache
from targetrl_core.variants import BUILT_IN

STEADY = Held(memory_kib=1e5, files=9, threads=4, cached=7, kernels=3)


def grown(**each_thousand: float) -> Growth:
    """What is found where what is held grows by so much per 1,000 trainings, and memory also goes up and down by half a MiB."""
    seen = {}
    for count in range(100, 6001, 100):
        more = {name: getattr(STEADY, name) + int(by * count / 1000) for name, by in each_thousand.items()}
        held = STEADY._replace(**more)
        seen[count] = held._replace(memory_kib=held.memory_kib + 256 * (-1) ** (count // 100))
    return soak.growth(seen)


def test_growth_of_memory_is_a_line() -> None:
    """What is taken and given back is no growth, and what is kept is, to a part of the bound."""
    steady, leaking = grown(), grown(memory_kib=1000)
    assert abs(steady.memory_kib) < BOUND_KIB / 2
    assert abs(steady.memory_kib) <= steady.half_kib
    assert abs(leaking.memory_kib - 1000) <= leaking.half_kib < BOUND_KIB
    assert not steady.others


@pytest.mark.parametrize("name", ["files", "threads", "cached", "kernels"])
def test_whatever_else_grows_is_named(name: str) -> None:
    """One more in a thousand trainings is enough."""
    [line] = grown(**{name: 1}).others
    assert line.endswith(f" grew from {getattr(STEADY, name) + 2} to {getattr(STEADY, name) + 6}")


def test_the_warm_up_is_no_growth() -> None:
    """What the first trainings take, once, is not counted."""
    seen = {count: STEADY if count > 1000 else Held(0, 0, 0, 0, 0) for count in range(100, 6001, 100)}
    assert soak.growth(seen) == (0.0, 0.0, [])


KEPT: list[int] = []
WAIT = threading.Event()


@functools.cache
def kept(_: int) -> None:
    """Like a cache of the package that has no end."""


kept.__module__ = "targetrl_core.planted"


@pytest.mark.parametrize(
    ("leak", "name", "words"),
    [
        (lambda _: KEPT.append(os.open(os.devnull, os.O_RDONLY)), "files", "open files"),
        (lambda _: threading.Thread(target=WAIT.wait, daemon=True).start(), "threads", "threads"),
        (kept, "cached", "values in caches"),
        (lambda number: (cache.folder() / str(number)).touch(), "kernels", "built kernels"),
    ],
)
def test_what_a_process_holds_is_seen(
    leak: Callable[[int], object], name: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An open file, a thread, a cached value and a kernel that each training leaves behind are counted, and the line says so."""
    monkeypatch.setenv("TARGETRL_CACHE_DIR", str(tmp_path))
    WAIT.clear()
    seen = soak.soak([leak], 4)
    assert getattr(seen[4], name) >= getattr(seen[1], name) + 3
    assert any(line.startswith(f"{words} grew") for line in soak.growth(seen).others)
    WAIT.set()
    while KEPT:
        os.close(KEPT.pop())


def test_real_trainings_leave_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once what is prepared fills its cache, the trainings that soon start hold no more files, threads and values than before."""
    monkeypatch.setattr(soak, "BUILT_IN", [variant for variant in BUILT_IN if variant.name in ("eager", "batched", "fused")])
    monkeypatch.setattr(soak, "LOOKS", 4)
    tasks = soak.trainings()
    assert len(tasks) >= 6
    others = soak.growth(soak.soak(tasks, 40 * len(tasks))).others
    assert [line for line in others if not line.startswith("built kernels")] == []  # other processes may build some meanwhile


@pytest.mark.parametrize(("result", "code"), [(Growth(191.0, 9.0, []), 0), (Growth(193.0, 9.0, []), 1), (Growth(0.0, 1.0, ["a grew"]), 1)])
def test_the_command_fails_where_something_grew(
    result: Growth, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1 beyond the bound of memory or with anything else that grew, and the figures are printed in any case."""
    monkeypatch.setattr(soak, "trainings", lambda: [lambda _: None])
    monkeypatch.setattr(soak, "growth", lambda _: result)
    monkeypatch.setattr(soak, "held", lambda: STEADY)
    assert main(["upkeep", "soak", "--trainings", "100"]) == code
    out = capsys.readouterr().out
    assert f"{result.memory_kib:+.1f} ± {result.half_kib:.1f} KiB per 1,000 trainings; the bound is 192 KiB" in out
    assert out.splitlines()[-1] == (result.others or ["nothing else grew"])[0]


def test_too_few_trainings_tell_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """Fewer than a line can be fitted through are refused."""
    assert main(["upkeep", "soak", "--trainings", "9"]) == 2
    assert capsys.readouterr().err == "bench: --trainings is 9; it must be a whole number from 100 to 1,000,000,000\n"
