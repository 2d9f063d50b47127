"""What a session of the suites leaves behind: one JSON file a device, in pytest-benchmark's own format and a little more.

Beside pytest-benchmark's fields a file has ``targetrl``: the schema's version, label and device, the fingerprint of the machine, and the
rows that are missing with their reasons. Seconds are stored as they were measured; statistics are made when they are read.
"""

import json
import os
import platform
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

from bench import tables
from bench.files import write_atomically
from bench.records import SCHEMA
from targetrl_core import UsageError
from targetrl_core.devices import device_name

LABEL = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


def check_label(label: str | None) -> None:
    """Raise UsageError for a label that is no plain file name."""
    if label is not None and not LABEL.fullmatch(label):
        raise UsageError(f"label is {label!r}; it must be 1 to 64 of a-z, 0-9, '.', '_' and '-', the first a letter or digit")


@dataclass
class Session:
    """One run of the suites: where its results go, and what it has to say."""

    devices: tuple[str, ...]
    label: str | None
    results: Path
    named: bool
    partial: bool = False
    absences: list[dict[str, str]] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)

    def note_absence(self, item: pytest.Item, report: pytest.TestReport) -> None:
        """Keep why a row is missing: withheld (it failed) or not measured (it was skipped)."""
        device, name = _without_device(item.name, self.devices)
        text = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longreprtext
        reason = text.removeprefix("Skipped: ").strip().splitlines()[-1] if text else "no reason given"
        kind, _, why = reason.partition(": ")
        if kind not in ("withheld", "not measured"):
            kind, why = "withheld", reason
        self.absences.append({"device": device, "name": name, "kind": kind, "reason": why})

    def absence_lines(self) -> list[str]:
        """A line for each withheld row; those not measured are counted."""
        withheld = [absence for absence in self.absences if absence["kind"] == "withheld"]
        lines = ["withheld on {device}: {name}: {reason}".format(**absence) for absence in withheld]
        not_measured = len(self.absences) - len(withheld)
        return [*lines, f"{not_measured} rows not measured: the reasons stand in the tables"] if not_measured else lines

    def strip_device(self, output_json: dict[str, Any], device: str) -> None:
        """Take the device out of every name and parameter of a saved session."""
        for row in output_json["benchmarks"]:
            for key in ("name", "fullname"):
                row[key] = row[key].replace(f"[{device}-", "[")
            row["param"] = row["param"].removeprefix(f"{device}-")
            row["params"] = {name: value for name, value in row["params"].items() if name != "device"}

    def save(self, config: pytest.Config) -> None:
        """Write a file for each device and the tables, unless nothing was timed or the rows are a selection."""
        benchmarks = config._benchmarksession  # type: ignore[attr-defined]  # noqa: SLF001 — it has no public name
        if benchmarks.disabled or not (benchmarks.benchmarks or self.absences):
            return
        if not self.named and (self.partial or any("::" in argument for argument in config.args)):
            self.messages.append("a selection of rows is not written to results/; name a place with --results=DIR")
            return
        machine, commit = benchmarks.get_machine_info(), config.hook.pytest_benchmark_generate_commit_info(config=config)
        timed = [row for row in benchmarks.benchmarks if row and not row.has_error]
        for device in self.devices:
            rows = [row for row in timed if row.params.get("device") == torch.device(device)]
            self._save_device(config, device, rows, machine, commit)
        tables.write(self.results)
        self.messages.append(f"wrote {self.results / 'README.md'}")

    def _save_device(self, config: pytest.Config, device: str, rows: list[Any], machine: dict[str, Any], commit: dict[str, Any]) -> None:
        content = config.hook.pytest_benchmark_generate_json(
            config=config, benchmarks=rows, include_data=True, machine_info=machine, commit_info=commit
        )
        self.strip_device(content, device)
        label = self.label or default_label(machine, device)
        content["targetrl"] = {
            "schema": SCHEMA,
            "label": label,
            "device": device,
            "fingerprint": fingerprint(machine, commit, device),
            "absent": [
                {key: absence[key] for key in ("name", "kind", "reason")} for absence in self.absences if absence["device"] == device
            ],
        }
        path = self.results / f"{label}-{device}.json"
        write_atomically(path, json.dumps(content, indent=1, default=str) + "\n")
        self.messages.append(f"wrote {path}")


def _without_device(name: str, devices: tuple[str, ...]) -> tuple[str, str]:
    device = next((device for device in devices if f"[{device}-" in name), devices[0])
    return device, name.replace(f"[{device}-", "[")


def default_label(machine: dict[str, Any], device: str) -> str:
    """A label from the processor that was timed and, for a CPU, its cores; never a host name."""
    name = device_name(torch.device(device)) or machine["cpu"].get("brand_raw") or platform.machine()
    words = re.sub(r"\((r|tm)\)|processor|cpu|@.*", " ", name.lower())
    slug = re.sub(r"[^a-z0-9]+", "-", words).strip("-")[:48].strip("-") or "machine"
    return f"{slug}-{psutil.cpu_count()}c" if device == "cpu" else slug


def fingerprint(machine: dict[str, Any], commit: dict[str, Any], device: str) -> dict[str, Any]:
    """What the times depend on. No host name, no user name, no path."""
    return {
        "processor": machine["cpu"].get("brand_raw", platform.processor()),
        "cores": psutil.cpu_count(logical=False),
        "logical_cores": psutil.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "gpu": device_name(torch.device(device)),
        "cuda": torch.version.cuda,
        "torch": torch.__version__,
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "compiler": compiler_version(),
        "commit": commit.get("id"),
        "dirty": commit.get("dirty"),
        "load_per_core": round(psutil.getloadavg()[0] / (psutil.cpu_count() or 1), 2),
    }


def compiler_version() -> str | None:
    """First line that the C++ compiler says of itself."""
    try:
        said = subprocess.run([os.environ.get("CXX", "c++"), "--version"], capture_output=True, text=True, timeout=10, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return None
    return said.stdout.splitlines()[0]
