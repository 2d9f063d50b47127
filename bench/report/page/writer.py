"""The page, put together: what is shown, and the scripts and styles that show it, in one file that needs no other."""

from collections.abc import Sequence
from typing import Any, NamedTuple, get_args

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from bench.evidence.machine import Machine
from bench.evidence.schema import Question
from bench.evidence.untrusted import plain
from bench.report import tables as text_tables
from bench.report.page import charts, sentences, tables
from bench.report.page.data.courses import OUTCOME_NAMES, courses, outcome_maps
from bench.report.page.data.rows import Record, all_rows
from bench.report.page.data.starts import PHASES, start_phases
from bench.report.page.palette import COLOURS, DASHES, OUTCOME_COLOURS, PHASE_COLOURS, SHAPES, cycled, text_config
from bench.report.page.scripts import ASSETS, digest, scripts, styles
from bench.trajectories.evidence import Trajectories

FIRST_SHOWN = 3
"""Labels that are shown at first: of more devices the lines could not be told apart."""


class Column(NamedTuple):
    """A column of a table: ``field`` is what it is sorted by, ``text`` what stands there, where that is another field."""

    title: str
    field: str
    text: str | None = None
    number: bool = False
    wide: bool = False


REASONS = (
    Column("kind", "status"),
    Column("reason", "reason", wide=True),
    Column("rows", "rows", number=True),
    Column("of", "of", wide=True),
    Column("on", "on", wide=True),
)

COLUMNS = (
    Column("variant", "variant"),  # the first stays where it is when the others move sideways
    Column("device", "machine"),
    Column("question", "question"),
    Column("objective", "objective"),
    Column("arithmetic", "arithmetic"),
    Column("N", "policies", number=True),
    Column("steps", "steps", number=True),
    Column("policy-steps/s", "speed", "shown", number=True),
    Column("of a call", "seconds", "time", number=True),
    Column("of the limit", "share", "percent", number=True),
    Column("identity", "identity"),
    Column("ULP", "ulp", number=True),
    Column("ambiguous", "ambiguous", number=True),
    Column("marks", "marks"),
    Column("cache", "cache"),
    Column("ranks", "ranks", number=True),
    Column("status", "status"),
    Column("reason", "reason", wide=True),
)


class Variant(NamedTuple):
    """A variant's name, and what tells it apart."""

    name: str
    colour: str
    shape: str


def html(machines: Sequence[Machine], found: Sequence[Trajectories]) -> str:
    """The page of some devices, and of the trajectories that were recorded."""
    names, ran, data = variant_names(machines, found), scripts(), _data(machines, found)
    devices = [machine["name"] for machine in data["machines"]]
    starts = list(dict.fromkeys(phase["start"] for phase in data["starts"]))
    scales = charts.Scales(names, devices, starts)
    data |= {"specs": charts.specs(scales, text_config("currentColor")), "variants": names}
    return _template().render(
        data=data,
        columns=COLUMNS,
        machines=data["machines"],
        dashes=dict(zip(devices, cycled(DASHES, len(devices)), strict=True)),
        devices=list(dict.fromkeys(machine["device"] for machine in data["machines"])),
        labels=list(dict.fromkeys(machine["label"] for machine in data["machines"])),
        first_shown=FIRST_SHOWN,
        variants=[Variant(*one) for one in zip(names, cycled(COLOURS, len(names)), cycled(SHAPES, len(names)), strict=True)],
        seeds=list(dict.fromkeys(seed for course in data["courses"] for seed in course["seeds"])),
        verdict=tables.verdict(machines),
        ends=tables.ends(data["courses"]),
        shares=[tables.shares(one) for one in data["maps"]],
        reasons=tables.reasons(machines),
        facts=[tables.facts(machine) for machine in machines],
        marks=tables.marks(machines),
        phases=list(zip(PHASES, PHASE_COLOURS, strict=True)),
        outcomes=list(zip(OUTCOME_NAMES, OUTCOME_COLOURS, strict=True)),
        said=_said(machines, found),
        scripts=ran,
        digests=" ".join(digest(script) for script in ran),
        styles=styles(),
    )


def variant_names(machines: Sequence[Machine], found: Sequence[Trajectories]) -> list[str]:
    """Every variant there is, those of the steady state first, in the order of the tables."""
    ordered = [name for machine in machines for name in text_tables.variants(machine, machine.cells("steady state"))]
    others = [cell.variant for machine in machines for cell in (*machine.rows, *machine.absent) if cell.variant is not None]
    recorded = [name for one in found for course in one.courses for name in course.variants]
    return list(dict.fromkeys(plain(name) for name in (*ordered, *others, *recorded)))


def _data(machines: Sequence[Machine], found: Sequence[Trajectories]) -> dict[str, Any]:
    """What the page's script works with; all of it becomes JSON."""
    rows = sorted((row for machine in machines for row in all_rows(machine)), key=_question)
    places = [(machine.evidence.targetrl.label, machine.evidence.targetrl.device) for machine in machines]
    places += [(one.label, one.device) for one in found]
    return {
        "rows": rows,
        "starts": [phase for machine in machines for phase in start_phases(machine)],
        "courses": [course for one in found for course in courses(one)],
        "maps": [each for one in found for each in outcome_maps(one)],
        "outcomes": OUTCOME_NAMES,
        "columns": [column._asdict() for column in COLUMNS],
        "reasons": [column._asdict() for column in REASONS],
        "machines": [{"name": f"{label}, {device}", "label": label, "device": device} for label, device in dict.fromkeys(places)],
        "problems": list(dict.fromkeys(row["problem"] for row in rows if row.get("question") == "steady state")),
    }


def _question(row: Record) -> int:
    """Where a row stands: the steady state first, and last what failed before it was known what it is about."""
    questions = get_args(Question)
    return questions.index(row["question"]) if "question" in row else len(questions)


def _said(machines: Sequence[Machine], found: Sequence[Trajectories]) -> dict[str, str]:
    """A sentence for each part."""
    first = machines[0]
    return {
        "lead": sentences.of_throughput(first),
        "throughput": sentences.of_crossings(first),
        "share": sentences.of_shares(first),
        "phases": sentences.of_starts(first),
        "trajectories": sentences.of_courses(found),
        "maps": sentences.of_maps(found),
        "rows": sentences.of_absences(machines),
    }


def _template() -> Template:
    """The page's template: what stands in it is text, unless the template itself says that it is markup."""
    environment = Environment(
        loader=FileSystemLoader(ASSETS), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    # JSON in a page: jinja2 writes <, >, & and ' as escapes, so that no text in it ends its element.
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "separators": (",", ":"), "allow_nan": False}
    return environment.get_template("page.html")
