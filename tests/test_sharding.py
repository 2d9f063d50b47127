"""A population on several devices, processes and hosts: the same result however it is cut, and no rank is lost in silence."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
import torch
from torch.distributed import HashStore  # type: ignore[attr-defined] # torch has it, its types do not tell

from targetrl_core import Problem, Summary, UsageError, stream
from targetrl_core.checkpoint import content
from targetrl_core.cli import main
from targetrl_core.listing.defaults import OBJECTIVES
from targetrl_core.report import summary_lines
from targetrl_core.sharding import pulse
from targetrl_core.sharding.group import Group, _summary, _words
from targetrl_core.sharding.pulse import Pulse
from targetrl_core.sharding.shards import Shard, slice_of, together, train_shards
from targetrl_core.sharding.world import World, this_world
from targetrl_core.streaming import ALIGNED, plan

ROOT = Path(__file__).parent.parent
HANGS_SECONDS = 600
"""After which a process hangs, however slow the machine is."""
N = 300_000
TRAIN = ["train", "--population", str(N), "--objective", "pathwise", "--steps", "20"]
PROBLEM = Problem(objective="pathwise", steps=20)


def whole(problem: Problem = PROBLEM, n: int = N, variant: str = "auto") -> Summary:
    """What the population becomes in one piece."""
    *_, last = stream(problem, n, variant=variant)
    return last


def same(first: Summary, second: Summary) -> bool:
    """Whether two summaries tell the same of as many policies."""
    counts = [(summary.policies, summary.outcomes, summary.checksum) for summary in (first, second)]
    return counts[0] == counts[1] and first.histogram.equal(second.histogram) and first.first_steps.equal(second.first_steps)


@pytest.mark.parametrize("n", [1, 1023, 1025, 50_000, 10**12])
@pytest.mark.parametrize("shards", [1, 2, 3, 64])
def test_slices_are_the_population(n: int, shards: int) -> None:
    """Slices follow one another from the first policy to the last, none more than one unit longer than another."""
    slices = [slice_of(n, shard, shards) for shard in range(shards)]
    assert (slices[0].start, slices[-1].stop) == (0, n)
    assert all(span.stop == following.start for span, following in pairwise(slices))
    lengths = [len(span) for span in slices]
    assert max(lengths) - min(lengths) < 2 * ALIGNED


@pytest.mark.parametrize(("variant", "arithmetic"), [("fused", "native"), ("batched", "native"), ("batched", "portable")])
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_devices_of_a_process_add_up(objective: str, variant: str, arithmetic: str) -> None:
    """Two or three shards side by side in one process have the summary of the population in one piece, noise included."""
    problem, n = PROBLEM.replace(objective=objective, arithmetic=arithmetic), 30_011
    planned = plan(problem, n, variant=variant)
    for shards in (2, 3):
        *_, total = train_shards([Shard(planned, shard, shards) for shard in range(shards)], None)
        assert same(total, whole(problem, n, variant))


def test_constants_per_policy_go_with_their_shard() -> None:
    """Each shard trains by its own policies' constants."""
    problem = Problem(objective="pathwise", target=torch.linspace(0.3, 0.9, 5000), arithmetic="portable")
    *_, total = train_shards([Shard(plan(problem, 5000), shard, 3) for shard in range(3)], None)
    assert same(total, whole(problem, 5000))


def test_what_one_device_raises_ends_all() -> None:
    """An error of one stream is raised, and the others are closed and waited for."""
    closed: list[bool] = []

    def endless() -> Generator[Summary, None, None]:
        try:
            while True:
                yield plan(PROBLEM, 5).nothing()
                time.sleep(0.001)
        finally:
            closed.append(True)

    def broken() -> Generator[Summary, None, None]:
        yield plan(PROBLEM, 5).nothing()
        raise UsageError("no more")

    with pytest.raises(UsageError, match="no more"):
        list(together([endless(), broken(), endless()]))
    assert closed == [True, True]


def test_sums_over_ranks_do_not_overflow() -> None:
    """Checksums of several ranks add up modulo 2⁶⁴, counts as they are."""
    single = whole(n=3000)
    many = [torch.tensor(0), *[_words(single)] * 5]
    total = _summary(sum(many[1:], start=many[0]).tolist(), single, "some")
    assert total.checksum == single.checksum * 5 % 2**64
    assert (total.policies, total.outcomes.at_target) == (15_000, 5 * single.outcomes.at_target)


VARIABLES = {"WORLD_SIZE": "3", "RANK": "1", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "3", "MASTER_ADDR": "localhost", "MASTER_PORT": "29500"}


def test_without_a_launcher_a_process_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable, no world; with the variables of torchrun, what they say."""
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert this_world() == World()
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    assert this_world() == World(rank=1, size=3, local_rank=1, local_size=3, host="localhost", port=29500)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("RANK", "3", "RANK is '3'; it must be a whole number from 0 to 2, as torchrun sets it"),
        ("WORLD_SIZE", "-1", "WORLD_SIZE is '-1'; it must be a whole number from 1"),
        ("MASTER_PORT", "http", "MASTER_PORT is 'http'; it must be a whole number from 1 to 65535"),
        ("MASTER_PORT", None, "MASTER_PORT is missing"),
        ("MASTER_ADDR", None, "MASTER_ADDR is missing; it must be the host where the ranks meet"),
    ],
)
def test_a_wrong_variable_is_named(name: str, value: str | None, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a launcher has set wrong is one line that names the variable."""
    for each, right in (VARIABLES | {name: value}).items():
        monkeypatch.delenv(each, raising=False) if right is None else monkeypatch.setenv(each, right)
    with pytest.raises(UsageError, match=message):
        this_world()


def heard(ended: dict[int, tuple[float, float, bool]]) -> Pulse:
    """The pulse of rank 0 of 3, which has heard of each rank's last beat and progress then."""
    beating = Pulse(World(rank=0, size=3, host="here", port=1), HashStore(), patience_seconds=60.0)
    beating._heard = {rank: pulse._Heard(1, 1, working, beat, trained) for rank, (beat, trained, working) in ended.items()}  # noqa: SLF001
    beating._answered = 100.0  # noqa: SLF001
    return beating


@pytest.mark.parametrize(
    ("ranks", "now", "reason"),
    [
        ({1: (99.0, 99.0, True), 2: (95.0, 50.0, True)}, 100.0, None),
        ({1: (99.0, 99.0, True), 2: (89.0, 89.0, True)}, 100.0, "rank 2 of 3 has not been heard of for 10 s"),
        ({1: (99.0, 39.0, True), 2: (99.0, 99.0, True)}, 100.0, "rank 1 of 3 has not come on for 60 s, which is more than --patience"),
        ({1: (99.0, 39.0, False), 2: (99.0, 99.0, True)}, 100.0, None),
        ({}, 110.5, "rank 0 of 3, or the meeting place here:1, has not answered rank 0 of 3 for 10 s"),
    ],
)
def test_a_lost_rank_is_named(ranks: dict[int, tuple[float, float, bool]], now: float, reason: str | None) -> None:
    """A rank is lost when it is silent, or does not come on though it has work; one that has finished may wait."""
    reason_given = heard(ranks)._reason(now)  # noqa: SLF001
    assert (reason_given or "").startswith(reason or "\n") or reason_given is reason


def test_who_is_cut_off_asks_nobody() -> None:
    """Where the meeting place does not answer, a rank says so itself: asking might keep it waiting for ever."""
    beating = heard({})
    beating._answered = time.monotonic() - 2 * pulse.LOST_SECONDS  # noqa: SLF001
    assert beating.claim_end()
    assert not beating.store.check(["ended"])
    beating._answered = time.monotonic()  # noqa: SLF001
    assert [beating.claim_end(), beating.claim_end()] == [True, False]


def test_what_every_rank_finds_one_tells(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Of wrong usage, and of a single policy, rank 0 alone speaks."""
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    assert main(["train"]) == 0
    assert main([*TRAIN, "--lr", "-1"]) == 2
    assert capsys.readouterr() == ("", "")
    monkeypatch.setenv("RANK", "0")
    assert main([*TRAIN, "--lr", "-1"]) == 2
    assert capsys.readouterr().err.startswith("targetrl: lr is -1.0")


def test_ranks_of_two_plans_do_not_train() -> None:
    """A rank whose command line differs is refused by the key and both values, before anything is trained."""
    store = HashStore()
    world = World(rank=1, size=2)
    group = Group(world, torch.device("cpu"), store, Pulse(world, store))
    store.set("plan/0", msgspec.json.encode(plan(PROBLEM, 5).facts()).decode())
    with pytest.raises(UsageError, match=r"rank 0's lr is 0\.1, and this run's is 0\.2"):
        group.agree(plan(PROBLEM.replace(lr=0.2), 5))


def test_torchrun_starts_ranks_with_one_result() -> None:
    """Two ranks under torchrun print what one process does, once."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "targetrl_core", *TRAIN]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=HANGS_SECONDS)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines() == printed("2 × cpu")


def printed(device: str) -> list[str]:
    """What the command prints of the whole population."""
    return "\n".join(summary_lines(whole())).replace(" on cpu", f" on {device}").splitlines()


@contextmanager
def ranks(module: str, size: int, *arguments: str) -> Iterator[list[subprocess.Popen[str]]]:
    """Ranks started one by one, the first of which is where they meet."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    world = {"WORLD_SIZE": str(size), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", module, *arguments]
    started = [
        subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | world | {"RANK": str(rank)}
        )
        for rank in range(size)
    ]
    try:
        yield started
    finally:
        for process in started:
            process.kill()
            process.communicate()


def test_three_ranks_have_the_result_of_one() -> None:
    """Outcomes, histogram, first steps and checksum are those of one process; the first rank alone prints."""
    with ranks("targetrl_core", 3, *TRAIN) as started:
        outputs = [process.communicate(timeout=HANGS_SECONDS) for process in started]
        assert [process.returncode for process in started] == [0, 0, 0], outputs
    assert outputs[0][0].splitlines() == printed("3 × cpu")
    assert [out for out, _ in outputs[1:]] == ["", ""]


@pytest.mark.parametrize(("lost", "ending"), [(1, signal.SIGKILL), (1, signal.SIGSTOP), (0, signal.SIGKILL)])
def test_a_rank_that_dies_or_stops_ends_the_job(lost: int, ending: signal.Signals, tmp_path: Path) -> None:
    """The other rank ends by itself, by one line that names the lost one; what both had kept is whole."""
    endless = ["train", "--population", "1e14", "--checkpoint", str(tmp_path), "--checkpoint-every", "0.1"]
    with ranks("tests.hasty_rank", 2, *endless) as (first, second):
        kept = [tmp_path / f"shard-{rank}-of-2-a.json" for rank in range(2)]
        while not all(path.exists() for path in kept):
            assert first.poll() is second.poll() is None
            time.sleep(0.05)
        time.sleep(0.3)
        other = (second, first)[lost]
        (first, second)[lost].send_signal(ending)
        _, error = other.communicate(timeout=HANGS_SECONDS)
        assert other.returncode == 1
    assert error.count("\n") == 1
    assert error.startswith(f"targetrl: rank {lost} of 2")
    planned = plan(Problem(), 10**14)
    for rank, path in enumerate(kept):
        assert content.read(path, planned, slice_of(10**14, rank, 2)) is not None
