"""What `bench ab` prints: for people, for pull requests, and for programs."""

import json

from tabulate import tabulate

from bench.tables.cells import coded, escaped
from bench.tables.table import markdown_table
from bench.verdicts.run import Comparison

HEADERS = ("row", "verdict", "HEAD's time over BASE's [interval, its level]", "processes", "")


def text(run: Comparison) -> str:
    """A table for the terminal."""
    return "\n".join([*_head(run), tabulate(_lines(run), headers=HEADERS, disable_numparse=True), *_foot(run)])


def markdown(run: Comparison) -> str:
    """The same in Markdown."""
    lines = [[coded(name), f"**{verdict}**", *(escaped(text) for text in rest)] for name, verdict, *rest in _lines(run)]
    head_lines = [escaped(line) for line in _head(run)]
    return "\n\n".join([*head_lines, markdown_table(lines, HEADERS), *(escaped(line) for line in _foot(run))])


def as_json(run: Comparison) -> str:
    """The same for programs."""
    rows = {name: vars(decision) | {"ratio": decision.ratio and decision.ratio._asdict()} for name, decision in run.decided.items()}
    rows |= {name: {"verdict": missing.kind, "note": missing.reason} for name, missing in run.missing.items()}
    about = {"base": run.base.title, "head": run.head.title, "device": run.device, "processes": run.processes, "stopped": run.stopped}
    return json.dumps(about | {"rows": rows}, indent=1)


def _head(run: Comparison) -> list[str]:
    lines = [f"HEAD: {run.head.title}; BASE: {run.base.title}; device {run.device}."]
    if run.apart is not None:
        lines.append(f"Both cannot be in one process ({run.apart}): each was timed in processes of its own.")
    return lines


def _foot(run: Comparison) -> list[str]:
    return [f"Not all was measured: {run.stopped}."] if run.stopped else []


def _lines(run: Comparison) -> list[tuple[str, str, str, str, str]]:
    lines: list[tuple[str, str, str, str, str]] = []
    for task in run.tasks:
        missing, decision = run.missing.get(task.name), run.decided.get(task.name)
        if missing is not None:
            lines.append((task.name, missing.kind, "", "", missing.reason))
        elif decision is not None:
            ratio = "{1:.3f} [{0:.3f}, {2:.3f}, {3:.1%}]".format(*decision.ratio) if decision.ratio else ""
            lines.append((task.name, decision.verdict, ratio, str(decision.processes), decision.note))
    return lines
