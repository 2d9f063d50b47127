"""The benchmark suite as people run it."""

import errno
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from _pytest.config import _prepareconfig

from bench import plugin
from bench.session import Session

ROOT = Path(__file__).parent.parent
PYTEST = (sys.executable, "-u", "-m", "pytest", "-p", "tests.quiet", "-p", "tests.brief", "-p", "no:cacheprovider")


def run_pytest(*arguments: str, **environment: object) -> subprocess.CompletedProcess[str]:
    """Run pytest on the project."""
    variables = {name: str(value) for name, value in environment.items()}
    return subprocess.run(
        [*PYTEST, *arguments],
        cwd=ROOT, capture_output=True, text=True, check=False, env=os.environ | {"COLUMNS": "200"} | variables,
    )  # fmt: skip


@contextmanager
def configured(*arguments: str) -> Iterator[pytest.Config]:
    """What pytest makes of arguments before its plugins look at them, in this process."""
    config = _prepareconfig([*arguments, "-s", "-p", "no:faulthandler"])
    try:
        yield config
    finally:
        config._ensure_unconfigure()  # noqa: SLF001 — pytest's own way to end it


def refusal(*arguments: str) -> str:
    """With what the suites' plugin refuses a run, in this process."""
    with configured(*arguments) as config, pytest.raises(pytest.UsageError) as error:
        plugin.pytest_configure(config)
    return str(error.value)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], Path]:
    """A short timed run into a folder of its own."""
    results = tmp_path_factory.mktemp("results")
    chosen = "detached-native-100- and not compiled and not eager and not vmap"
    return run_pytest("--benchmark-only", "--device", "cpu", "--label", "here", f"--results={results}", "-k", chosen), results


def test_rows_are_timed_and_written(session: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    """A run writes one file for the device, with device-free names, the identity of each row and the fingerprint."""
    run, results = session
    assert run.returncode == 0, run.stdout + run.stderr
    content = json.loads((results / "here-cpu.json").read_text())
    assert {row["extra_info"]["variant"] for row in content["benchmarks"]} == {"fused", "batched"}
    for row in content["benchmarks"]:
        assert row["name"] == f"test_steady_state[detached-native-100-{row['extra_info']['variant']}]"
        assert row["fullname"] == f"bench/test_steady_state.py::{row['name']}"
        assert "device" not in row["params"]
        assert row["extra_info"]["identity"] == "bounded"
        assert row["options"]["timer"] == "synchronized_clock"
        assert row["stats"]["rounds"] == len(row["stats"]["data"])
    assert content["targetrl"]["fingerprint"]["torch"]
    assert content["targetrl"]["clock"]["failures"] == []
    (absent,) = content["targetrl"]["absent"]
    assert (absent["kind"], absent["reason"]) == ("not measured", "CUDA graphs do not exist on cpu")
    assert (absent["cell"]["variant"], absent["cell"]["policies"]) == ("batched-graphed", 100)
    assert "| `fused`" in (results / "README.md").read_text()


def test_stock_compare_reads_the_file(session: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    """pytest-benchmark's own compare command joins files of two devices by their device-free names."""
    file = session[1] / "here-cpu.json"
    other = shutil.copy(file, session[1].parent / "there-cpu.json")
    command = [sys.executable, "-m", "pytest_benchmark", "compare", "--between=median", str(file), str(other)]
    run = subprocess.run(command, cwd=session[1], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert "test_steady_state[detached-native-100-batched]" in run.stdout


def test_a_selection_is_not_written_over_the_evidence() -> None:
    """Rows chosen with -k are shown, and results/ stays as it is, however it was named."""
    before = {path: path.read_bytes() for path in (ROOT / "results").glob("*")}
    run = run_pytest("--benchmark-only", "--device", "cpu", "-k", "detached-native-1-batched]", "--results=bench/../results")
    assert run.returncode == 0, run.stdout
    assert "a selection of rows is not written to results/" in run.stdout
    assert {path: path.read_bytes() for path in (ROOT / "results").glob("*")} == before
    for named in (ROOT / "results", ROOT / "bench" / ".." / "results"):
        assert Session(("cpu",), None, named, quick=False).is_committed


def test_benchmark_disable_checks_identity() -> None:
    """--benchmark-disable runs each chosen row once, checks it, and writes nothing."""
    chosen = "detached-portable-10000-batched] or detached-portable-10000-fused]"
    run = run_pytest("bench", "--benchmark-disable", "--device", "cpu", "-k", chosen)
    assert run.returncode == 0, run.stdout
    assert "2 passed" in run.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--quick", "--results=results"), "--results is results; with --quick it must be another folder"),
        (("--results=README.md",), "--results is README.md; it cannot be used: README.md: Not a directory"),
        (("--results=README.md/below",), "README.md: Not a directory; it must be a folder that can be written"),
        (("--device", "tpu"), "device is 'tpu'; it must be one of cpu"),
        (("--device", "cpu:0"), "device is 'cpu:0'; the suites take one of cpu, cuda, mps, all"),
        (("--device", "cuda:99"), "is not available: "),
        (("--label", "../up"), "label is '../up'; it must be"),
    ],
)
def test_an_unusable_option_is_a_usage_error(arguments: tuple[str, ...], message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An absent device or an unusable label is refused before anything runs."""
    monkeypatch.chdir(ROOT)
    assert message in refusal("--benchmark-only", *arguments)


@pytest.mark.parametrize(
    ("arguments", "variables"),
    [
        (("-n", "2"), {}),
        (("-n", "auto"), {}),
        (("--dist", "load", "--tx", "2*popen"), {}),
        ((), {"PYTEST_ADDOPTS": "-n 2"}),
        (("bench",), {"PYTEST_XDIST_WORKER": "gw0"}),
    ],
    ids=str,
)
def test_rows_are_not_timed_side_by_side(arguments: tuple[str, ...], variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """With pytest-xdist, however it is called, or in a worker of its own, a timed run is refused."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    message = refusal("--benchmark-only", "--device", "cpu", *arguments)
    assert message.startswith("--benchmark-only is given with pytest-xdist's -n, --dist or --tx, or in one of its workers; ")


def test_a_refusal_is_one_line_and_writes_nothing(tmp_path: Path) -> None:
    """A run that is refused ends at once, with pytest's exit code for wrong usage."""
    run = run_pytest("--benchmark-only", "--device", "cpu", f"--results={tmp_path / 'new'}", "-k", "eager-1-", "-n", "2")
    assert run.returncode == 4
    assert run.stderr.startswith("ERROR: --benchmark-only is given with ")
    assert run.stderr.strip().count("\n") == 0
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("arguments", [("-n", "2"), ("--benchmark-only", "-n", "0")], ids=" ".join)
def test_tests_still_run_side_by_side(arguments: tuple[str, ...]) -> None:
    """Without --benchmark-only pytest-xdist is not refused, nor is -n 0 with it."""
    with configured(*arguments) as config:
        plugin._refuse_workers(config)  # noqa: SLF001


def test_a_folder_with_a_broken_neighbour_is_a_usage_error(tmp_path: Path) -> None:
    """Evidence that no table can be made of is found before the run, not after it."""
    (tmp_path / "bad-cpu.json").write_text("{")
    message = refusal("--benchmark-only", "--device", "cpu", f"--results={tmp_path}")
    assert message.startswith(f"--results is {tmp_path}; it cannot be used: bad-cpu.json: ")
    assert "\n" not in message


def test_what_was_measured_is_not_lost(tmp_path: Path) -> None:
    """Where the folder is spoiled while the suite runs, the evidence is written all the same, and the run fails and says so."""
    results = tmp_path / "results"
    run = run_pytest("tests/spoiling_suite.py", "--benchmark-only", "--device=cpu", "--label=some", f"--results={results}")
    assert run.returncode == 1, run.stdout + run.stderr
    assert "Traceback" not in run.stdout + run.stderr
    assert "the tables were not written: bad-cpu.json: " in run.stdout
    assert json.loads((results / "some-cpu.json").read_text())["benchmarks"]


@pytest.fixture
def spare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "spare"))
    (tmp_path / "spare").mkdir()
    return tmp_path / "spare"


def test_evidence_is_kept_elsewhere_where_its_place_is_taken(tmp_path: Path, spare: Path) -> None:
    """A run whose file cannot be written keeps it in a temporary folder, says where, and counts as one that lost something."""
    place = tmp_path / "some-cpu.json"
    place.mkdir()
    session = Session(("cpu",), "some", tmp_path, quick=False)
    session._keep(place, "measured")  # noqa: SLF001
    (kept,) = spare.glob("targetrl-*/some-cpu.json")
    assert session.messages == [f"{place} could not be written: Is a directory; the evidence is kept in another place: wrote {kept}"]
    assert kept.read_text() == "measured"
    assert session.lost


def test_a_full_disk_is_told(tmp_path: Path, spare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing can be written anywhere, the message says so of both places."""

    def full(_file: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    session = Session(("cpu",), "some", tmp_path, quick=False)
    session._keep(tmp_path / "some-cpu.json", "measured")  # noqa: SLF001
    full_text = f"some-cpu.json could not be written: No space left on device; nor could it be kept in {spare}: No space left on device"
    assert session.messages == [f"{tmp_path}/{full_text}"]
    assert session.lost
    assert not (tmp_path / "some-cpu.json").exists()


def test_ci_services_find_their_fields(session: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    """Each row has the fields that CI services read, and they are numbers."""
    for row in json.loads((session[1] / "here-cpu.json").read_text())["benchmarks"]:
        assert row["fullname"].startswith("bench/test_steady_state.py::")
        assert all(row["stats"][name] >= 0 for name in ("ops", "mean", "stddev", "rounds"))


def test_progress_shows_each_row_with_its_speed(session: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    """While it runs, each row has a line with its speed and identity."""
    assert re.search(r"test_steady_state\[cpu-detached-native-100-batched\] [\d.]+ [kMG] policy-steps/s, bounded", session[0].stdout)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_the_old_files(number: signal.Signals, tmp_path: Path) -> None:
    """Interrupted or told to end, a run writes nothing, and says how many rows it did not measure and from which on."""
    (tmp_path / "README.md").write_text("old")
    command = [*PYTEST, "--benchmark-only", "--device=cpu", f"--results={tmp_path}"]
    command += ["-k", "detached-native-1-batched] or detached-native-100-"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=os.environ | {"COLUMNS": "200"}) as run:
        assert run.stdout is not None
        for line in run.stdout:
            if "policy-steps/s" in line:
                run.send_signal(number)
                break
        text = run.stdout.read()
    assert run.returncode == 2
    assert re.search(r"interrupted: nothing was written; \d rows were not measured, the first of them test_steady_state\[cpu-", text)
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]
    assert (tmp_path / "README.md").read_text() == "old"


def test_plain_pytest_collects_no_benchmark() -> None:
    """Plain pytest runs the tests; --benchmark-only runs the benchmarks."""
    tests = run_pytest("tests/test_suite.py", "bench/test_steady_state.py", "--collect-only", "-q").stdout
    benchmarks = run_pytest("--collect-only", "-q", "--benchmark-only", "--device", "cpu").stdout
    assert "tests/test_suite.py" in tests
    assert "bench/test_steady_state.py" not in tests
    assert "bench/test_steady_state.py" in benchmarks
    assert "tests/test_suite.py" not in benchmarks
