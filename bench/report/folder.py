"""The files that are made of a folder of evidence: README.md, results.csv, the page, and the figures of the front page above it."""

from collections.abc import Iterator
from pathlib import Path

from bench.evidence import records
from bench.evidence.files import write_atomically
from bench.evidence.machine import Machine
from bench.report import cost, front, page, results_csv
from bench.report.reach import reach_section
from bench.report.sections import device_section
from bench.report.tables import fastest_everywhere
from bench.report.verdicts import verdicts_section
from targetrl_core.errors import UsageError
from targetrl_core.progress import progress

HEAD = f"""# Results

Made from the evidence files in this folder by `python -m bench report`; never edited. The same in one table: [results.csv](results.csv).

- A row times one call: from a fresh population on the device to the trained one on the device, all steps, once everything is compiled
  and warm. Speeds are policy-steps per second (policies × steps / seconds): the median over rounds.
- In brackets stands a 95 % interval that covers rounds and processes: the order statistics of the rounds, and the spread of medians
  between the fresh processes of the cold starts times Student's t, added in squares. Fewer than six rounds, or processes of a cold
  start, hold no order statistics of 95 %: there it is Student's interval of the mean logarithm, and a single one has none.
- Every row converged identically: *bitwise* (the bits of `batched` in portable arithmetic) or *bounded* (within the derived bound of the
  float64 oracle; the largest distance is given in ULP of the largest magnitude on a policy's path). A row that did not is **withheld**.
- Growth of memory is the peak of one untimed call over what the process had before: on CUDA by the allocator's own count; on a CPU of
  resident memory, sampled, in the fresh processes of the cold starts, and in the suite's own process from a million policies on, once
  what was freed is given back. Of fewer policies it would tell more of the process than of the call: those rows have none.
- The limit is what the device can do at most: kernels that do nothing but add, multiply (fused with an addition), do both in turns, divide
  or take roots, on independent numbers in registers and on all cores, and a copy past every cache, say how many of each it manages in a
  second; the operations of one policy-step are counted by running the fused kernel's body once on a type that counts. Each kind of unit
  at its own pace, all at the same time, would need as long as the slowest: that term binds. A division or root may be replaced by the
  processor's approximation and Newton steps, which are measured too, and half of them may be while the divider does the others: both
  paces count together (files from before that was measured have the divider's alone). Comparisons, selections and integer operations are
  not counted. A row whose fastest call comes to more than 1.5 times the limit, on a GPU twice, is **withheld**, whatever it computed: that
  leaves room for honest variants that need fewer operations.
{cost.INTRODUCTION}- A number in parentheses is the reason for a cell without a number, a letter in italics a reason to take one lightly.
"""


def read(results: Path) -> list[Machine]:
    """The evidence of a folder, a device at a time.

    Raises:
        UsageError: an evidence file cannot be read.
    """
    return [Machine(evidence) for evidence in records.read_all(records.files(results))]


def check(results: Path) -> None:
    """Raise UsageError where a folder holds what no tables can be made of."""
    text(read(results), results)


def text(machines: list[Machine], results: Path | None = None) -> str:
    """What README.md has to say: of the devices and, given the folder, of what the commands of ``bench`` measured there."""
    sections = [device_section(machine) for machine in machines]
    studied = [] if results is None else [*verdicts_section(results), *reach_section(results)]
    return "\n".join([HEAD, *fastest_everywhere(machines), *sections, *studied])


def write(results: Path, *, quiet: bool = True) -> list[str]:
    """Write what is made of a folder's evidence; returns what was written, and what could not be made, a line each.

    Raises:
        UsageError: there is none, or some cannot be read.
    """
    machines = read(results)
    if not machines:
        raise UsageError(f"{results}: no evidence is there; it must be a folder with files <label>-<device>.json")
    contents: dict[Path, str] = {}
    with progress(None, "files", quiet=quiet) as bar:
        for path, content in _contents(machines, results):
            contents[path] = content
            bar.update()
    for path, content in contents.items():
        write_atomically(path, content)
    why_no_page = page.why_not()
    return [f"wrote {path}" for path in contents] + ([why_no_page] if why_no_page else [])


def _contents(machines: list[Machine], results: Path) -> Iterator[tuple[Path, str]]:
    """Each file, and what is to stand in it."""
    yield results / "README.md", text(machines, results)
    yield results / "results.csv", results_csv.text(machines)
    if page.why_not() is None:
        from bench.report.page import charts, writer  # what makes them may not be installed

        yield results / "index.html", writer.html(machines)
        yield from ((results / name, svg) for name, svg in charts.pictures(machines[0], writer.variant_names(machines)).items())
    # Only the project's own results make its front page, not those that someone keeps in another folder beside it.
    front_page = results.parent / "README.md"
    if results.resolve().name == "results" and front_page.exists():
        before = front_page.read_text(encoding="utf-8")
        if front.has_blocks(before):
            yield front_page, front.with_blocks(before, machines[0])
