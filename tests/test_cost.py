"""What a call costs: lines through rows, what is predicted of sizes that were not measured, and where another is the fastest."""

import json
import math
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.cost.curves import Curve, Point, curves, timed
from bench.cost.predict import StepGrowth, crossings, crossings_within, fit, of_steps, seconds, tells, within
from bench.evidence.machine import Machine
from bench.evidence.records import Interval, read
from bench.report import folder
from targetrl_core import VARIANTS
from tests.some_evidence import EVIDENCE, evidence, row

SIZES = (1, 100, 10_000, 1_000_000)


def curve(a: float, b: float, sizes: tuple[int, ...] = SIZES) -> Curve:
    """Rows of a line a + b·N, with intervals of a tenth."""
    return tuple(Point(n, Interval(0.9 * (a + b * n), a + b * n, 1.1 * (a + b * n))) for n in sizes)


def table_of(tmp_path: Path, rows: list[dict[str, Any]]) -> str:
    """What the tables have to say of some rows' cost."""
    path = tmp_path / "some-cpu.json"
    path.write_text(json.dumps(evidence() | {"benchmarks": rows}))
    return folder.text([Machine(read(path))]).partition("### What a call costs")[2].partition("###")[0]


@pytest.mark.parametrize(("a", "b"), [(1e-3, 1e-7), (5e-5, 1e-8), (2e-6, 0.01), (10.0, 1e-9)])
@pytest.mark.parametrize("sizes", [(1, 100), (1, 10_000, 1_000_000), SIZES, (*SIZES, 100_000_000)])
def test_a_line_is_found_again(a: float, b: float, sizes: tuple[int, ...]) -> None:
    """Rows without an error give back a and b, over eight decades of N, as far as they show at all."""
    fitted_a, fitted_b = fit(timed(curve(a, b, sizes)))
    assert fitted_a == pytest.approx(a, rel=1e-6, abs=1e-9 * b)
    assert fitted_b == pytest.approx(b, rel=1e-6, abs=1e-9 * a / max(sizes))


def test_neither_part_is_negative() -> None:
    """Times that grow faster than N, or not at all, make a line of one part, the best one by relative errors."""
    part = (1 + 1 / 1.1) / (1 + 1 / 1.1**2)
    assert fit([(1, 1.0), (100, 110.0)]) == pytest.approx((0.0, part))
    assert fit([(1, 1.0), (100, 1.0 / 1.1)]) == pytest.approx(((1 + 1.1) / (1 + 1.1**2), 0.0))


def test_neighbours_that_rounding_makes_one_size_have_a_line() -> None:
    """However far from nothing and near each other two sizes are, a line is told."""
    a, b = fit([(10**15, 1.0), (10**15 - 1, 1.0)])
    assert a + b * 10**15 == pytest.approx(1.0)


def test_what_does_not_hold_is_marked(tmp_path: Path) -> None:
    """A line far from a row is bold in the tables; through two sizes it is exact, and one has no line."""
    rows = [
        *(row("batched", n, [t] * 7) for n, t in ((1, 1e-3), (100, 2e-3), (10_000, 1e-3))),
        *(row("fused", n, [t] * 7) for n, t in ((1, 1e-3), (100, 2e-3))),
        row("eager", 1, [1e-3] * 7),
    ]
    table = table_of(tmp_path, rows)
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines() if line.startswith("| `")]
    assert [(line[0], *line[-2:]) for line in lines] == [("`batched`", "3", "**80%**"), ("`fused`", "2", "0%")]
    assert "`eager`" not in table


def test_the_tables_tell_what_a_call_and_very_many_policies_take(tmp_path: Path) -> None:
    """a, b, and the rate of very many policies, which is steps over b and without b has no end; and where another is the fastest."""
    lines = {"batched": (1e-3, 1e-7), "fused": (2e-3, 2e-8), "flat": (5e-2, 0.0)}
    table = table_of(tmp_path, [row(name, n, [a + b * n] * 7) for name, (a, b) in lines.items() for n in SIZES])
    cells = {line.split("|")[1].strip(): [cell.strip() for cell in line.split("|")[2:5]] for line in table.splitlines() if "| `" in line}
    assert cells["`batched`"] == ["1.00 ms", "100 ns", "500 M"]
    assert cells["`flat`"] == ["50.0 ms", "0", "–"]
    assert "The fastest: from N = 1 on `batched`, from 12.5 k on `fused`." in table


def committed() -> list[Curve]:
    """The curves of this project's own variants in the committed evidence that have a line; peers may take other ways at other sizes."""
    own = {variant.name for variant in VARIANTS}
    known = [item for machine in folder.read(EVIDENCE) for item in curves(machine).items()]
    return [points for kind, points in known if kind.variant in own and len(points) > 2]


def straight_logs(points: Curve, policies: int) -> float:
    """Interpolation of logarithms between the rows on both sides."""
    below, above = [p for p in points if p.policies < policies][-1], next(p for p in points if p.policies > policies)
    share = math.log(policies / below.policies) / math.log(above.policies / below.policies)
    return math.exp((1 - share) * math.log(below.seconds.value) + share * math.log(above.seconds.value))


def fitted(points: Curve, policies: int) -> float:
    """The line through all the others."""
    a, b = fit(timed(points))
    return a + b * policies


def rows_between(points: Curve, policies: int) -> float:
    """What is used."""
    return seconds(points, policies).value


def test_the_rule_is_the_best_of_three() -> None:
    """A size left out of the committed evidence is predicted within a third, and no worse than by the line or by logarithms."""
    errors: dict[Callable[[Curve, int], float], list[float]] = {rows_between: [], fitted: [], straight_logs: []}
    for points in committed():
        for left_out in points[1:-1]:
            rest = tuple(point for point in points if point is not left_out)
            for predict, logs in errors.items():
                logs.append(math.log(predict(rest, left_out.policies) / left_out.seconds.value))
    factors = {predict: math.exp(math.sqrt(statistics.fmean(e * e for e in logs))) for predict, logs in errors.items()}
    assert factors[rows_between] < 1.15
    assert factors[rows_between] <= factors[fitted] * 1.02
    assert factors[fitted] < factors[straight_logs] / 2
    assert max(map(abs, errors[rows_between])) < math.log(4 / 3) + 1e-2


def test_between_rows_a_straight_line_leads_from_one_to_the_other() -> None:
    """Values and both ends of intervals are in between by N, and a row's own at its N."""
    points = (Point(100, Interval(1.0, 2.0, 4.0)), Point(200, Interval(3.0, 6.0, 8.0)))
    assert seconds(points, 125) == pytest.approx(Interval(1.5, 3.0, 5.0))
    assert seconds(points, 200) == points[1].seconds


def test_past_the_rows_the_nearest_two_lead_on() -> None:
    """Past the largest row, and before the smallest, times go on with neither part negative; one row tells of its own N alone."""
    points = curve(1e-3, 1e-7)
    assert seconds(points, 10**8) == pytest.approx(Interval(0.9 * 10.001, 10.001, 1.1 * 10.001))
    assert not within(points, 10**8)
    assert seconds(points[2:], 1).value == pytest.approx(1e-3, rel=1e-3)
    falling, steep = ((Point(10, Interval(t, t, t)), Point(100, Interval(1.0, 1.0, 1.0))) for t in (2.0, 0.01))
    assert (seconds(falling, 1000).value, seconds(falling, 1).value) == (1.0, 2.0)
    assert [seconds(steep, n).value for n in (1000, 1)] == pytest.approx([10.0, 1e-3])
    assert (tells(points[:1], 1), tells(points[:1], 2), tells((), 1), tells(points, 2)) == (True, False, False, True)


def test_steps_grow_from_what_a_call_takes() -> None:
    """Of a large call the seconds that do not grow stay the same, of a small one their share; where none are known all is in proportion."""
    growth = StepGrowth(fixed=1.0, whole=1.5)
    small, large = of_steps(curve(0.5, 1e-4, (1, 1_000_000)), 10.0, growth)
    assert large.seconds.value == pytest.approx(1.0 + (100.5 - 1.0) * 10)
    assert small.seconds.value == pytest.approx((0.5 + 1e-4) * (2 / 3 + 10 / 3))
    assert of_steps(curve(0.5, 1e-4, (100,)), 0.1)[0].seconds.value == pytest.approx((0.5 + 1e-2) / 10)


def test_another_is_the_fastest_where_straight_lines_meet() -> None:
    """Each change of the fastest is told, several between two rows too, in the order of N; of what is never the fastest nothing is."""
    lines = {"quick": (0.0, 1.0), "then": (100.0, 0.5), "last": (300.0, 0.1), "never": (400.0, 0.5)}
    changes = crossings_within({name: curve(a, b, (1, 1001)) for name, (a, b) in lines.items()})
    assert [(crossing.before, crossing.after, round(crossing.at or 0, 6)) for crossing in changes] == [
        ("quick", "then", 200.0), ("then", "last", 500.0),
    ]  # fmt: skip


def test_what_was_not_measured_on_both_sides_meets_nowhere() -> None:
    """Where the fastest ends, or another begins, between two sizes, it is told between which, and no N."""
    flat, late = curve(1.0, 0.0, (1, 100)), curve(0.5, 0.0, (100, 1000))
    assert list(crossings_within({"flat": flat, "late": late})) == [(1, 100, None, "flat", "late")]
    assert list(crossings(lambda _: {}, SIZES)) == []


def test_equal_times_are_told_once() -> None:
    """Two that take the same time do not take turns, nor does one that only draws level."""
    same = curve(1.0, 1e-3)
    assert list(crossings_within({"one": same, "other": same})) == []
    assert list(crossings_within({"quick": curve(1.0, 1.0, (1, 3)), "level": curve(2.5, 0.5, (1, 3))})) == []
