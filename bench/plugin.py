"""The suites' pytest plugin: options, fixtures and hooks."""

import os
import signal
import sys
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from bench.evidence.commit import commit_info as package_commit
from bench.evidence.files import RESULTS, held
from bench.evidence.fingerprint import check_label
from bench.report import folder
from bench.session import Session, reason_of, strip_device
from bench.tables.cells import scaled
from bench.timing.fresh import Caches
from bench.timing.gate import Gate, withdraw
from bench.timing.guards import SECONDS as LIMIT_SECONDS
from bench.timing.guards import time_limit
from bench.timing.once import Once
from targetrl_core import UsageError, available_devices
from targetrl_core.devices import find_device, why_absent
from targetrl_core.errors import one_of
from targetrl_core.files import check_writable
from targetrl_core.names import DEVICES

SESSION = pytest.StashKey[Session]()
SECONDS, QUICK_SECONDS = 0.3, 0.2
"""About how long a row is timed."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """The suites' own options."""
    group = parser.getgroup("targetrl")
    group.addoption("--device", default="all", help="cpu, cuda, mps or all: all that are here (default: all)")
    group.addoption("--label", default=None, help="name of this machine in the results (default: made from its processor)")
    group.addoption("--results", default=None, metavar="DIR", help="where evidence and tables are written (default: results/)")
    group.addoption("--row-timeout", type=float, default=LIMIT_SECONDS, metavar="SECONDS",
                    help=f"a row that takes longer is ended, and not measured (default: {LIMIT_SECONDS:g})")  # fmt: skip
    group.addoption("--peers", action="store_true", help="time the peers too: numpy, numba and jax (pip install '.[peers]')")
    group.addoption("--sharding", action="store_true", help="time ranks that train together too: about a minute")
    group.addoption("--quick", action="store_true", help="a few rows in under 40 s; never written to results/")


def pytest_configure(config: pytest.Config) -> None:
    """Refuse several processes for timed rows, an absent device, an unusable label or folder before anything runs."""
    _refuse_workers(config)
    config.addinivalue_line("markers", "quick: a row of --quick")
    config.addinivalue_line("markers", "peer: a row of --peers")
    config.addinivalue_line("markers", "gpu: a row that is worth its time on GPUs alone")
    quick, named = config.getoption("--quick"), config.getoption("--results")
    try:
        devices = available_devices() if config.getoption("--device") == "all" else (config.getoption("--device"),)
        for device in devices:
            find_device(device)
        check_label(config.getoption("--label"))
    except UsageError as error:
        raise pytest.UsageError(str(error)) from error
    if not set(devices) <= set(DEVICES):  # evidence is filed by kind of device, not by its number
        raise pytest.UsageError(f"device is {devices[0]!r}; the suites take one of {one_of((*DEVICES, 'all'))}")
    results = Path(named) if named else None if quick else RESULTS
    config.stash[SESSION] = session = Session(devices, config.getoption("--label"), results, quick=quick)
    if quick and session.is_committed:
        raise pytest.UsageError(f"--results is {named}; with --quick it must be another folder than results/")
    if not config.getoption("--row-timeout") > 0:
        raise pytest.UsageError(f"--row-timeout is {config.getoption('--row-timeout'):g}; it must be seconds above 0")
    if results is not None and (named or config.getoption("--benchmark-only")):
        _hold(config, results)
    if config.getoption("--benchmark-only"):
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # told to end, a run ends as by Ctrl-C, with its children
        config.option.verbose = config.option.verbose or 1  # a line for each row as it is done: the run takes minutes
        if config.args_source is pytest.Config.ArgsSource.TESTPATHS:
            config.args = [path for path in config.args if Path(path).name != "tests"]  # importing them would take seconds


def _refuse_workers(config: pytest.Config) -> None:
    """Refuse to time rows in processes of pytest-xdist, which would do so side by side, each for itself."""
    spread = config.getoption("numprocesses", None) or config.getoption("tx", None) or config.getoption("dist", None) not in (None, "no")
    if config.getoption("--benchmark-only") and (spread or "PYTEST_XDIST_WORKER" in os.environ):
        raise pytest.UsageError(
            "--benchmark-only is given with pytest-xdist's -n, --dist or --tx, or in one of its workers; "
            "rows are timed one after another in one process: leave these out, also of PYTEST_ADDOPTS, or add -n 0"
        )


def _hold(config: pytest.Config, results: Path) -> None:
    """Refuse a folder that cannot be written into, whose evidence no tables can be made of, or that another run holds; hold it."""
    stack = ExitStack()
    try:
        check_writable(results)
        folder.check(results)
        stack.enter_context(held(results))
    except (OSError, UsageError) as error:
        raise pytest.UsageError(f"--results is {results}; it cannot be used: {error}") from error
    config.add_cleanup(stack.close)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test a device, of those asked for."""
    if "gate" in metafunc.fixturenames:
        session = metafunc.config.stash[SESSION]
        metafunc.parametrize("device", [torch.device(name) for name in session.devices], ids=session.devices)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run what was asked for, tests or benchmarks; the others are not skipped but left out."""
    only = config.getoption("--benchmark-only")
    disabled = config.getoption("--benchmark-disable")
    skip = config.getoption("--benchmark-skip") and not only and not disabled
    if disabled:
        config._benchmarksession.skip = False  # type: ignore[attr-defined]  # noqa: SLF001 — it has no public name
    quick, peers = config.stash[SESSION].quick, config.getoption("--peers")

    def wanted(item: pytest.Item) -> bool:
        if not _is_benchmark(item):
            return not (only or quick)
        marks = {mark.name for mark in item.iter_markers()}
        if skip or ("peer" in marks and not peers) or (quick and "quick" not in marks):
            return False
        return _device(item).type != "cpu" or "gpu" not in marks

    items[:] = [item for item in items if wanted(item)]


def _is_benchmark(item: pytest.Item) -> bool:
    return "benchmark" in getattr(item, "fixturenames", ())


def _device(item: pytest.Item) -> torch.device:
    device: torch.device = getattr(item, "callspec").params["device"]  # noqa: B009 — pytest.Item has no such attribute, its functions have
    return device


@pytest.fixture
def gate(request: pytest.FixtureRequest, benchmark: BenchmarkFixture, device: torch.device, once: Once) -> Gate:
    """What a row is timed through."""
    session = request.config.stash[SESSION]
    limit = partial(time_limit, request.config.getoption("--row-timeout"), _given_up(request.node))
    return Gate(benchmark, device, once, session.clock, QUICK_SECONDS if session.quick else SECONDS, limit, session.ceiling)


def _given_up(item: pytest.Item) -> Callable[[str], None]:
    """What ends a run whose row hangs where nothing can interrupt it: what was measured before is kept."""

    def end(reason: str) -> None:
        session = item.config.stash[SESSION]
        withdraw(item.funcargs["benchmark"])  # type: ignore[attr-defined]
        session.give_up(item, reason)
        item.config.pluginmanager.getplugin("capturemanager").suspend_global_capture(in_=True)
        sys.stderr.write("".join(f"\ntargetrl: {line}" for line in [*session.lines(), *session.messages]) + "\n")
        sys.stderr.flush()
        os._exit(pytest.ExitCode.TESTS_FAILED)

    return end


@pytest.fixture
def why_no_ranks(request: pytest.FixtureRequest) -> str | None:
    """Why ranks are not timed in this run, if they are not."""
    return None if request.config.getoption("--sharding") else "ranks are timed with --sharding"


@pytest.fixture(scope="session")
def once() -> Once:
    """What is found out once, for all rows of a session."""
    return Once()


@pytest.fixture(scope="session")
def caches(tmp_path_factory: pytest.TempPathFactory) -> Caches:
    """The compilers' caches of the fresh processes."""
    return Caches(tmp_path_factory.mktemp("inductor"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:  # noqa: ANN401 — pytest's own
    """Remember which rows were withheld or not measured, and why; put a row's speed where its progress line is made."""
    report = yield
    if _is_benchmark(item) and report.when != "teardown":
        if report.when == "call" or not report.passed:
            item.config.stash[SESSION].finished.add(item.nodeid)
        benchmark = getattr(item, "funcargs", {}).get("benchmark")
        if report.failed and benchmark is not None:
            withdraw(benchmark)  # also where it failed for a reason of pytest's own
        if not report.passed and call.excinfo is not None:
            item.config.stash[SESSION].note_absence(item, *reason_of(call.excinfo))
        elif report.when == "call" and benchmark is not None:
            item.config.stash[SESSION].watch.look(_device(item).type)
            report.row = _progress(benchmark)
    return report


def _progress(benchmark: BenchmarkFixture) -> str | None:
    if not benchmark.stats:
        return None
    info, median = benchmark.extra_info, benchmark.stats.stats.median
    work = info["policies"] * max(info.get("steps", 0), 1)
    what = "policy-steps/s" if info.get("steps") else "policies/s"
    return f"{scaled(work / median)} {what}, {info['identity']}"


def pytest_report_teststatus(report: pytest.CollectReport | pytest.TestReport) -> tuple[str, str, str] | None:
    """A row's speed stands in its progress line."""
    row = getattr(report, "row", None)
    return ("passed", ".", row) if row else None


def pytest_deselected(items: list[pytest.Item]) -> None:
    """A selection of rows is no evidence of the whole: it is not written over what there is."""
    benchmarks = [item for item in items if _is_benchmark(item)]
    if benchmarks:
        benchmarks[0].config.stash[SESSION].partial = True


def pytest_benchmark_update_machine_info(machine_info: dict[str, Any]) -> None:
    """Leave out who owns the machine, and what differs at every look."""
    machine_info.pop("node", None)
    for name in [name for name in machine_info["cpu"] if name.startswith("hz_")]:
        del machine_info["cpu"][name]


def pytest_benchmark_update_commit_info(commit_info: dict[str, Any]) -> None:
    """Tell the commit of what is timed; pytest-benchmark asks in the working directory, which may be another project's."""
    commit_info.clear()
    commit_info.update(package_commit())


def pytest_benchmark_update_json(config: pytest.Config, output_json: dict[str, Any]) -> None:
    """Where one device was timed, keep it out of the saved names: stock compare joins files on them."""
    session = config.stash[SESSION]
    if len(session.devices) == 1:
        strip_device(output_json, session.devices[0])


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Write one evidence file a device, and the tables; of an interrupted run say what is missing, and write nothing."""
    ours = session.config.stash[SESSION]
    suites = {item.path.name for item in session.items}
    ours.partial |= any(item.nodeid not in ours.finished for item in session.items if _is_benchmark(item))
    ours.partial |= not suites.issuperset(path.name for path in Path(__file__).parent.glob("test_*.py"))
    if exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        ours.save(session.config)
        if ours.lost:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
    elif exitstatus == pytest.ExitCode.INTERRUPTED and session.config.getoption("--benchmark-only"):
        ours.messages.append(f"interrupted: nothing was written; {ours.unfinished(session)}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say where the results went, and which devices are not here."""
    session = config.stash[SESSION]
    if not session.messages and not config.getoption("--benchmark-only"):
        return
    absent = [f"{name} not measured: {why_absent(name)}" for name in DEVICES if name not in available_devices()]
    terminalreporter.section("targetrl")
    for line in [*session.lines(), *absent, *session.messages]:
        terminalreporter.write_line(line)
