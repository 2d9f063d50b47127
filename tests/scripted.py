"""A pytest plugin that scripts all that a run of the suites takes from its machine, so that its tables can be foreseen."""

import itertools
import random
from contextlib import nullcontext

import msgspec
import pytest
import torch

from bench import session
from bench.evidence.schema import ClockTest, Environment, Fingerprint, Limits, Work
from bench.timing import gate, rounds
from bench.timing.environment import Watch

_seconds = itertools.accumulate(itertools.cycle([0.002, 0.0021, 0.002, 0.0023, 0.002, 0.0022]))


def clock() -> float:
    """Seconds that go by as the script says, a step at each look."""
    return next(_seconds)


FINGERPRINT = Fingerprint(
    processor="Scripted CPU", cores=2, logical_cores=2, memory_gib=8.0, gpu=None, driver=None, cuda=None, torch="2.99",
    cpu_capability="AVX9", threads=2, python="3.99", system="Nowhere 1", compiler="cc 1", compile_flags=None, commit="0" * 40, dirty=False,
)  # fmt: skip
ENVIRONMENT = Environment(
    seconds=1.0, busy_elsewhere=0.01, stolen=0.0, load_before=0.1, governor="performance", turbo=True, throttled=0, on_battery=None,
    gpu_processes=None, gpu_throttled=None, thread_settings={},
)  # fmt: skip
LIMITS = Limits(additions=1e9, multiplications=1e9, divisions=1e8, roots=5e7, copied_bytes=1e9)
WORK = Work(
    objective="detached", optimizer="adam", arithmetic="portable", additions=20, multiplications=15, divisions=2, roots=1, moved_bytes=32
)
CLOCK = ClockTest(resolution_seconds=1e-9, work=[1, 4], seconds=[0.004, 0.016], unsynchronised_seconds=0.016, failures=[])


@pytest.fixture(autouse=True)
def _script(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "synchronized_clock", clock)
    monkeypatch.setattr(gate, "even", lambda _clock: nullcontext())
    monkeypatch.setattr(gate, "MOST_ROUNDS", 12)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    monkeypatch.setattr(random, "SystemRandom", lambda: random.Random(1))  # noqa: S311 — foreseen on purpose
    monkeypatch.setattr(rounds, "_CHANCE", random.Random(1))  # noqa: S311 — likewise
    monkeypatch.setattr(rounds, "unforeseen", lambda: torch.Generator(device="cpu").manual_seed(1))


def pytest_configure() -> None:
    """What is looked at when the session ends outlives the tests' own patches."""
    vars(session).update(
        _limits=lambda *_: {"limits": LIMITS, "work": [WORK]},
        fingerprint=lambda *given: msgspec.structs.replace(FINGERPRINT, packages=given[-1]),
        clock_test=lambda *_: CLOCK,
    )
    Watch.finish = lambda *_: ENVIRONMENT  # type: ignore[method-assign]
