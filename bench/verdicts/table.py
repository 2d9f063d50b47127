"""What `bench ab` prints: for people, for pull requests, and for programs."""

import json

from tabulate import tabulate

from bench.tables.cells import coded, escaped
from bench.tables.table import markdown_table
from bench.verdicts.rule import Ratio
from bench.verdicts.run import Run
from bench.verdicts.sides import Version

HEADERS = ("row", "verdict", "HEAD's time over BASE's [interval, its level]", "processes", "")


def text(run: Run, base: Version, head: Version) -> str:
    """A table for the terminal."""
    return "\n".join([*_head(run, base, head), tabulate(_lines(run), headers=HEADERS, disable_numparse=True), *_foot(run)])


def markdown(run: Run, base: Version, head: Version) -> str:
    """The same in Markdown."""
    lines = [[coded(name), f"**{verdict}**", *(escaped(one) for one in rest)] for name, verdict, *rest in _lines(run)]
    head_lines = [escaped(line) for line in _head(run, base, head)]
    return "\n\n".join([*head_lines, markdown_table(lines, HEADERS), *(escaped(line) for line in _foot(run))])


def as_json(run: Run, base: Version, head: Version) -> str:
    """The same for programs."""
    rows = {
        name: {"verdict": one.verdict, "ratio": one.ratio and one.ratio._asdict(), "processes": one.processes, "note": one.note}
        for name, one in run.decided.items()
    }
    rows |= {name: {"verdict": one.kind, "note": one.reason} for name, one in run.missing.items()}
    found = {"base": base.said, "head": head.said, "device": run.device, "processes": run.processes, "stopped": run.stopped, "rows": rows}
    return json.dumps(found, indent=1)


def _head(run: Run, base: Version, head: Version) -> list[str]:
    said = [f"HEAD: {head.said}; BASE: {base.said}; device {run.device}."]
    if run.apart is not None:
        said.append(f"Both cannot be in one process ({run.apart}): each was timed in processes of its own.")
    return said


def _foot(run: Run) -> list[str]:
    return [f"Not all was measured: {run.stopped}."] if run.stopped else []


def _lines(run: Run) -> list[tuple[str, str, str, str, str]]:
    lines: list[tuple[str, str, str, str, str]] = []
    for asked in run.asked:
        missing, one = run.missing.get(asked.name), run.decided.get(asked.name)
        if missing is not None:
            lines.append((asked.name, missing.kind, "", "", missing.reason))
        elif one is not None:
            lines.append((asked.name, one.verdict, "" if one.ratio is None else _ratio(one.ratio), str(one.processes), one.note))
    return lines


def _ratio(ratio: Ratio) -> str:
    return f"{ratio.value:.3f} [{ratio.low:.3f}, {ratio.high:.3f}, {ratio.level:.1%}]"
