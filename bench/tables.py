"""The tables of results/README.md, made from the evidence files alone. Imports no torch."""

from pathlib import Path

from tabulate import tabulate

from bench.files import write_atomically
from bench.records import Absent, Evidence, Row, read

HEAD = """# Results

Made from the evidence files in this folder by `python -m bench report`; never edited. Speeds are policy-steps per second (policies ×
steps / seconds): the median over rounds, and in brackets the interval that holds the median of this process's rounds in 95 of 100 cases.
Every row converged identically: *bitwise* (the bits of `batched` in portable arithmetic) or *bounded* (within the derived bound of
the float64 oracle; the largest distance is given in ULP). A row that did not is withheld.
"""

FIELDS = ("processor", "logical_cores", "threads", "gpu", "torch", "python", "system", "compiler", "commit", "dirty", "load_per_core")


FRONT = ("<!-- made by python -m bench report -->\n", "<!-- end -->\n")
"""What stands around the table on the project's front page."""


def write(results: Path) -> None:
    """Write README.md beside the evidence files of a folder, and the table of the front page in the folder above, where it has one.

    Raises:
        UsageError: an evidence file cannot be read.
    """
    write_atomically(results / "README.md", text(results))
    page = results.parent / "README.md"
    if page.exists() and FRONT[0] in page.read_text(encoding="utf-8"):
        write_atomically(page, with_front_table(page.read_text(encoding="utf-8"), results))


def with_front_table(page: str, results: Path) -> str:
    """The front page with its table made anew: the listing's problem in native arithmetic, of the first evidence file."""
    before, _, rest = page.partition(FRONT[0])
    after = rest.partition(FRONT[1])[2]
    evidence = [read(path) for path in _files(results)]
    if not evidence:
        return page
    first = evidence[0]
    rows = [row for row in first.rows if (row.objective, row.arithmetic) == ("detached", "native")]
    caption = (
        f"Policy-steps per second, {rows[0].steps} steps, {escaped(str(first.fingerprint.get('processor')))}, "
        f"{first.fingerprint.get('threads')} threads, torch {escaped(str(first.fingerprint.get('torch')))} "
        "([all tables, with intervals and reasons](results/README.md)):\n"
    )
    return before + FRONT[0] + caption + "\n" + _speeds(rows, intervals=False) + "\n" + FRONT[1] + after


def _files(results: Path) -> list[Path]:
    return sorted(results.glob("*-*.json"))


def text(results: Path) -> str:
    """What README.md has to say."""
    evidence = [read(path) for path in _files(results)]
    parts = [HEAD, *(_section(one) for one in evidence)]
    return "\n".join(parts)


def _section(evidence: Evidence) -> str:
    known = [(name.replace("_", " "), evidence.fingerprint.get(name)) for name in FIELDS]
    facts = ", ".join(f"{name} {escaped(str(value))}" for name, value in known if value is not None)
    parts = [f"## {escaped(evidence.label)}, {escaped(evidence.device)}\n", facts + "\n"]
    for objective, arithmetic in dict.fromkeys((row.objective, row.arithmetic) for row in evidence.rows):
        rows = [row for row in evidence.rows if (row.objective, row.arithmetic) == (objective, arithmetic)]
        steps = ", ".join(str(steps) for steps in sorted({row.steps for row in rows}))
        parts += [f"### {escaped(objective)}, {escaped(arithmetic)} arithmetic, {steps} steps\n", _speeds(rows) + "\n"]
    if evidence.absent:
        parts += ["### Not in the tables\n", _absences(evidence.absent) + "\n"]
    return "\n".join(parts)


def _speeds(rows: list[Row], *, intervals: bool = True) -> str:
    sizes = sorted({row.policies for row in rows})
    names = list(dict.fromkeys(row.variant for row in rows))
    by_cell = {(row.variant, row.policies): row for row in rows}
    best = {n: max((row for row in rows if row.policies == n), key=lambda row: row.speed.median).variant for n in sizes}
    lines = []
    for name in names:
        cells = [_cell(by_cell.get((name, n)), fastest=best[n] == name, intervals=intervals) for n in sizes]
        mine = [row for row in rows if row.variant == name]
        lines.append((f"`{escaped(name)}`", *cells, _identity(mine)))
    return tabulate(lines, headers=("variant", *(f"N = {n:,}" for n in sizes), "identity"), tablefmt="github")


def _cell(row: Row | None, *, fastest: bool, intervals: bool) -> str:
    if row is None:
        return "–"
    low, median, high = (scaled(value) for value in row.speed)
    shown = f"**{median}**" if fastest else median
    return f"{shown} [{low}, {high}]" if intervals else shown


def _identity(rows: list[Row]) -> str:
    level = "/".join(sorted({row.identity for row in rows}))
    return escaped(f"{level}, {max(row.max_ulp for row in rows):.1f} ULP")


def _absences(absent: tuple[Absent, ...]) -> str:
    """Rows without a number by their reason, in the order in which the reasons came up."""
    by_reason: dict[tuple[str, str], list[str]] = {}
    for one in absent:
        by_reason.setdefault((one.kind, one.reason), []).append(one.name)
    lines = [(escaped(kind), escaped(reason), ", ".join(_short(name) for name in names)) for (kind, reason), names in by_reason.items()]
    return tabulate(lines, headers=("", "why", "rows"), tablefmt="github")


def _short(name: str) -> str:
    """What stands between the brackets of a row's name, or all of it."""
    return f"`{escaped(name.partition('[')[2].removesuffix(']') or name)}`"


def scaled(value: float) -> str:
    """Three significant digits and a unit: 1.23 G, 45.6 M, 7.89 k."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{value / size:#.3g} {unit}".replace(". ", " ")
    return f"{value:#.3g}"


def escaped(text: str) -> str:
    """Text as Markdown shows it, whatever it holds."""
    plain = "".join(character if character.isprintable() else " " for character in text)
    for character in "\\`*_[]<>|#&":
        plain = plain.replace(character, f"\\{character}")
    return plain
