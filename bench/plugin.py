"""The suites' pytest plugin: options, fixtures and hooks."""

from pathlib import Path
from typing import Any

import pytest
import torch

from bench.evidence import Session, check_label
from bench.pools import Pools
from targetrl_core import UsageError, available_devices
from targetrl_core.devices import find_device, why_absent
from targetrl_core.names import DEVICES

SESSION = pytest.StashKey[Session]()
RESULTS = Path(__file__).parent.parent / "results"


def pytest_addoption(parser: pytest.Parser) -> None:
    """The suites' own options."""
    group = parser.getgroup("targetrl")
    group.addoption("--device", default="all", help="cpu, cuda, mps or all: all that are here (default: all)")
    group.addoption("--label", default=None, help="name of this machine in the results (default: made from its processor)")
    group.addoption("--results", default=None, metavar="DIR", help="where evidence and tables are written (default: results/)")


def pytest_configure(config: pytest.Config) -> None:
    """Refuse an absent device or an unusable label before anything runs."""
    try:
        devices = available_devices() if config.getoption("--device") == "all" else (config.getoption("--device"),)
        for device in devices:
            find_device(device)
        check_label(config.getoption("--label"))
    except UsageError as error:
        raise pytest.UsageError(str(error)) from error
    named = config.getoption("--results")
    config.stash[SESSION] = Session(devices, config.getoption("--label"), Path(named or RESULTS), named=named is not None)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test a device, of those asked for."""
    if "device" in metafunc.fixturenames:
        session = metafunc.config.stash[SESSION]
        metafunc.parametrize("device", [torch.device(name) for name in session.devices], ids=session.devices)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run what was asked for, tests or benchmarks; the others are not skipped but left out."""
    only = config.getoption("--benchmark-only")
    skip = config.getoption("--benchmark-skip") and not only
    kept = [item for item in items if not ((skip and _is_benchmark(item)) or (only and not _is_benchmark(item)))]
    items[:] = kept


def _is_benchmark(item: pytest.Item) -> bool:
    return "benchmark" in getattr(item, "fixturenames", ())


@pytest.fixture(scope="session")
def pools() -> Pools:
    """Certified pools, shared by the rows of a session."""
    return Pools()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:  # noqa: ANN401, ARG001 — pytest's own
    """Remember which rows were withheld or not measured, and why."""
    report = yield
    if _is_benchmark(item) and not report.passed and report.when != "teardown":
        item.config.stash[SESSION].note_absence(item, report)
    return report


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


def pytest_benchmark_update_json(config: pytest.Config, output_json: dict[str, Any]) -> None:
    """Where one device was timed, keep it out of the saved names: stock compare joins files on them."""
    session = config.stash[SESSION]
    if len(session.devices) == 1:
        session.strip_device(output_json, session.devices[0])


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Write one evidence file a device, and the tables."""
    if exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        session.config.stash[SESSION].save(session.config)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say where the results went, and which devices are not here."""
    session = config.stash[SESSION]
    if not session.messages and not config.getoption("--benchmark-only"):
        return
    absent = [f"{name} not measured: {why_absent(name)}" for name in DEVICES if name not in available_devices()]
    terminalreporter.section("targetrl")
    for line in [*session.absence_lines(), *absent, *session.messages]:
        terminalreporter.write_line(line)
