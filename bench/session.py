"""One run of the suites: which rows it brought, which it did not, and the files that it leaves behind."""

import json
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch

from bench.evidence.commit import commit_info
from bench.evidence.files import RESULTS, write_atomically
from bench.evidence.fingerprint import default_label, fingerprint
from bench.evidence.kinds import kind_of
from bench.evidence.reasons import one_line
from bench.evidence.schema import Absence, AbsenceKind, Cell, ClockTest, Evidence, Facts, Part
from bench.limit import measure
from bench.limit.ceiling import Ceiling
from bench.peers.requirements import versions
from bench.report import folder
from bench.timing.clock import Clock, clock_test
from bench.timing.environment import Watch
from targetrl_core import UsageError
from targetrl_core.devices import synchronized_clock
from targetrl_core.variants.installed import packages


@dataclass
class Session:
    """One run of the suites: where its results go, and what it has to say.

    ``results`` is None where nothing is to be written, and ``lost`` tells that not all of it could be.
    """

    devices: tuple[str, ...]
    label: str | None
    results: Path | None
    quick: bool
    partial: bool = False
    lost: bool = False
    watch: Watch = field(default_factory=Watch)
    clocks: dict[tuple[str, Clock], ClockTest] = field(default_factory=dict)
    ceiling: Ceiling = field(default_factory=Ceiling)
    finished: set[str] = field(default_factory=set)
    absences: dict[str, list[Absence]] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)

    @property
    def is_committed(self) -> bool:
        """Whether the folder is the project's own results/, however it was named."""
        return self.results is not None and self.results.resolve() == RESULTS

    def clock(self, device: torch.device, clock: Clock = synchronized_clock) -> ClockTest:
        """The self-test of a clock on a device, made once."""
        key = (device.type, clock)
        if key not in self.clocks:
            self.clocks[key] = clock_test(device, clock)
        return self.clocks[key]

    def worst_clock(self, device: str) -> ClockTest:
        """The self-test that a device's file tells: of the clock that timed it or, of several, one that failed."""
        tests = [test for (kind, _), test in self.clocks.items() if kind == device]
        return max(tests, key=lambda test: len(test.failures)) if tests else self.clock(torch.device(device))

    def note_absence(self, item: pytest.Item, kind: AbsenceKind, reason: str) -> None:
        """Keep why a row is missing."""
        device, name = without_device(item.name, self.devices)
        self.absences.setdefault(device, []).append(Absence(name=name, kind=kind, reason=reason, cell=_cell(item)))

    def give_up(self, item: pytest.Item, reason: str) -> None:
        """End with a row that hangs: what was measured before it is written, if not to results/, which holds whole runs alone."""
        self.note_absence(item, "not measured", reason)
        self.messages.append(f"{item.name} ended the run: {reason}; {self.unfinished(item.session)}")
        if self.is_committed:
            self.results = Path(tempfile.mkdtemp(prefix="targetrl-"))
        self.partial = True
        self.save(item.config)

    def unfinished(self, session: pytest.Session) -> str:
        """How many rows have not been looked at, and the first of them."""
        left = [item.name for item in session.items if item.nodeid not in self.finished]
        first = f", the first of them {left[0]}" if left else ""
        return f"{len(left)} rows were not measured{first}"

    def lines(self) -> list[str]:
        """A line for each withheld row; those not measured are counted."""
        everything = [(device, absence) for device, absences in self.absences.items() for absence in absences]
        withheld = [
            f"withheld on {device}: {absence.name}: {absence.reason}" for device, absence in everything if absence.kind == "withheld"
        ]
        not_measured = len(everything) - len(withheld)
        return [*withheld, f"{not_measured} rows not measured: the reasons stand in the tables"] if not_measured else withheld

    def save(self, config: pytest.Config) -> None:
        """Write a file for each device and the tables, unless nothing was timed or the rows are a selection."""
        benchmarks = config._benchmarksession  # type: ignore[attr-defined]  # noqa: SLF001 — it has no public name
        if benchmarks.disabled or not (benchmarks.benchmarks or self.absences):
            return
        if self.results is None:
            self.messages.append("nothing is written of a quick run; name a place with --results=DIR")
            return
        if self.is_committed and (self.partial or any("::" in argument for argument in config.args)):
            self.messages.append("a selection of rows is not written to results/; name a place with --results=DIR")
            return
        machine, commit = benchmarks.get_machine_info(), commit_info()
        timed = [row for row in benchmarks.benchmarks if row and not row.has_error]
        for device in self.devices:
            rows = [row for row in timed if row.params.get("device") == torch.device(device)]
            label = self.label or default_label(machine, device)
            try:
                content = self._content(label, config, device, rows, machine, commit)
            except Exception as error:  # noqa: BLE001 — whatever is wrong with one device, the files of the others are written
                self.lost = True
                self.messages.append(f"{device}: no file could be made of its rows: {type(error).__name__}: {one_line(str(error))}")
            else:
                self._keep(self.results / f"{label}-{device}.json", content)
        if self.lost:
            return
        try:
            self.messages += folder.write(self.results)
        except (OSError, UsageError) as error:
            self.lost = True
            self.messages.append(f"the tables were not written: {error}; repair that and run python -m bench report")

    def _keep(self, path: Path, text: str) -> None:
        """Write evidence where it belongs or, if that cannot be, where it is not lost."""
        try:
            write_atomically(path, text)
        except OSError as error:
            self.lost = True
            self.messages.append(f"{path} could not be written: {error.strerror}; {self._elsewhere(path.name, text)}")
        else:
            self.messages.append(f"wrote {path}")

    def _elsewhere(self, name: str, text: str) -> str:
        try:
            path = Path(tempfile.mkdtemp(prefix="targetrl-")) / name
            write_atomically(path, text)
        except OSError as error:
            return f"nor could it be kept in {tempfile.gettempdir()}: {error.strerror}"
        return f"the evidence is kept in another place: wrote {path}"

    def _content(  # noqa: PLR0913 — what a file is made of
        self, label: str, config: pytest.Config, device: str, rows: list[Any], machine: dict[str, Any], commit: dict[str, Any]
    ) -> str:
        content = config.hook.pytest_benchmark_generate_json(
            config=config, benchmarks=rows, include_data=True, machine_info=machine, commit_info=commit
        )
        strip_device(content, device)
        part = Part(
            schema=2,
            label=label,
            device=device,  # type: ignore[arg-type] # one of the names that were checked at the start
            fingerprint=fingerprint(machine, commit, device, packages() | (versions() if config.getoption("--peers") else {})),
            environment=self.watch.finish(device),
            clock=self.worst_clock(device),
            absent=self.absences.get(device, []),
            **_limits(self.ceiling, torch.device(device), rows),
        )
        text = json.dumps(content | {"targetrl": msgspec.to_builtins(part)}, indent=1, default=str) + "\n"
        msgspec.json.decode(text, type=Evidence)  # what is written can be read
        return text


def reason_of(error: pytest.ExceptionInfo[BaseException]) -> tuple[AbsenceKind, str]:
    """Withheld where the gate says so, as a run was not identical; else not measured, by what it says or what went wrong."""
    if isinstance(error.value, (pytest.skip.Exception, pytest.fail.Exception)):
        kind, _, why = str(error.value.msg).partition(": ")
        if kind in ("withheld", "not measured"):
            return "withheld" if kind == "withheld" else "not measured", one_line(why)
    return "not measured", f"{error.typename}: {one_line(str(error.value))}"


def _limits(ceiling: Ceiling, device: torch.device, rows: list[Any]) -> dict[str, Any]:
    """What the device can do at most, as its rows were judged by it, and what the rows' problems ask of it."""
    limits = ceiling.limits(device)
    if limits is None:
        return {"no_limits": ceiling.why_none[str(device)]}
    # The noise of reinforce is integer work, which is not counted: a limit without it would be none to show.
    cells = [msgspec.convert(row.extra_info, Facts) for row in rows]
    steps = {kind_of(cell).step for cell in cells if cell.steps and cell.objective != "reinforce"}
    return {"limits": limits, "work": [measure.count(step) for step in sorted(steps)]}


def _cell(item: pytest.Item) -> Cell | None:
    """What a row without a number is about, as far as it was known when it failed."""
    benchmark = getattr(item, "funcargs", {}).get("benchmark")
    known = {name: value for name, value in getattr(benchmark, "extra_info", {}).items() if name in Cell.__struct_fields__}
    return msgspec.convert(known, Cell) if "question" in known else None


def strip_device(content: dict[str, Any], device: str) -> None:
    """Take the device out of every name and parameter of a saved session."""
    for row in content["benchmarks"]:
        for key in ("name", "fullname"):
            row[key] = _plain(row[key], device)
        row["param"] = None if row["param"] in (device, None) else row["param"].removeprefix(f"{device}-")
        row["params"] = {name: value for name, value in (row["params"] or {}).items() if name != "device"}


def without_device(name: str, devices: tuple[str, ...]) -> tuple[str, str]:
    """The device that stands in a test's name, and the name without it."""
    device = next((device for device in devices if f"[{device}-" in name or f"[{device}]" in name), devices[0])
    return device, _plain(name, device)


def _plain(name: str, device: str) -> str:
    return name.replace(f"[{device}-", "[").removesuffix(f"[{device}]")
