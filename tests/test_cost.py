"""The cost model: lines through rows, their intervals and crossings, and what is predicted of sizes that were not measured."""

import json
import math
import random
import statistics
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.cost.crossing import crossings, overtakes
from bench.cost.curves import Curve, Point, curves
from bench.cost.line import Line, Lines, fit, misfit
from bench.cost.model import Model, line_through, model_of, models
from bench.cost.predict import Predictor
from bench.evidence.kinds import Kind
from bench.evidence.machine import Machine
from bench.evidence.records import Interval, read
from bench.report import folder
from bench.report.payoff import payoffs, single_run
from targetrl_core import VARIANTS
from tests.some_evidence import EVIDENCE, evidence, row

SIZES = (1, 100, 10_000, 1_000_000)


def kind(variant: str) -> Kind:
    """The listing's problem by one variant."""
    return Kind(variant, "detached", "adam", "native", 50)


def curve(line: Line, sizes: tuple[int, ...] = SIZES, noise: float = 0.0, source: random.Random | None = None) -> Curve:
    """Rows of a line, each off by a log-normal error that their intervals know."""
    drawn = source or random.Random(0)  # noqa: S311 — no secrets
    shown = [line.seconds(n) * math.exp(noise * drawn.gauss(0, 1)) for n in sizes]
    reach = math.exp(1.96 * noise)
    return tuple(Point(n, Interval(t / reach, t, t * reach)) for n, t in zip(sizes, shown, strict=True))


def machine(tmp_path: Path, rows: list[dict[str, Any]]) -> Machine:
    """An evidence file of some rows."""
    path = tmp_path / "some-cpu.json"
    path.write_text(json.dumps(evidence() | {"benchmarks": rows}))
    return Machine(read(path))


@pytest.mark.parametrize("line", [Line(1e-3, 1e-7), Line(5e-5, 1e-8), Line(2e-6, 0.01), Line(10.0, 1e-9)])
@pytest.mark.parametrize("sizes", [(1, 100), (1, 10_000, 1_000_000), SIZES, (*SIZES, 100_000_000)])
def test_a_line_is_found_again(line: Line, sizes: tuple[int, ...]) -> None:
    """Rows without an error give back a and b as far as they show, over eight decades of N, and have no misfit."""
    logs = [math.log(line.seconds(n)) for n in sizes]
    found = fit(sizes, logs)
    assert misfit(found, sizes, logs) < 1e-4
    for mine, true, shown in ((found.dispatch, line.dispatch, min(sizes)), (found.per_policy, line.per_policy, max(sizes))):
        share = true * (1 if true is line.dispatch else shown) / line.seconds(shown)
        assert share < 1e-3 or mine == pytest.approx(true, rel=1e-2)


def test_neither_part_is_negative() -> None:
    """Times that grow faster than N, or not at all, make a line of one part, and its misfit says so."""
    steep, flat = fit((1, 100), [0.0, math.log(110)]), fit((1, 100), [0.1, 0.0])
    assert (steep.dispatch, flat.per_policy) == (0.0, 0.0)
    assert steep.per_policy == pytest.approx(math.sqrt(1.1))
    assert flat.dispatch == pytest.approx(math.exp(0.05))
    assert misfit(steep, (1, 100), [0.0, math.log(110)]) == pytest.approx(math.sqrt(1.1) - 1)


def test_intervals_cover() -> None:
    """Of simulated runs, as many as 95 % of intervals hold the true a, b and crossing."""
    source, runs = random.Random(7), 40  # noqa: S311 — no secrets
    one, other = Line(1e-3, 2e-8), Line(5e-5, 2e-7)
    held = [0, 0, 0]
    for _ in range(runs):
        first, second = (model_of(kind(name), curve(line, noise=0.08, source=source)) for name, line in (("one", one), ("other", other)))
        (crossing,) = crossings([first, second])
        known = ((first.dispatch, one.dispatch), (first.per_policy, one.per_policy), (crossing.policies, overtakes(one, other).item()))
        held = [count + (found.low <= true <= found.high) for count, (found, true) in zip(held, known, strict=True)]
    # Of 120 intervals, within three standard deviations of 95 %.
    assert sum(held) / (3 * runs) == pytest.approx(0.95, abs=0.06)


def test_the_same_rows_have_the_same_intervals() -> None:
    """What is drawn depends on the curve's name alone, so that tables are not stale by chance."""
    rows = curve(Line(1e-3, 1e-7), noise=0.1)
    assert model_of(kind("x"), rows).dispatch == model_of(kind("x"), rows).dispatch
    assert model_of(kind("x"), rows).dispatch != model_of(kind("y"), rows).dispatch


def test_crossings_are_told_near_the_rows_alone() -> None:
    """Lines that cross among the rows are told, a little beyond as extrapolated, far beyond or never not at all."""

    def crossed(a: float, b: float, sizes: tuple[int, ...] = SIZES) -> list[tuple[str | None, float, bool]]:
        pair = [model_of(kind("slow"), curve(Line(1e-3, 1e-6), sizes)), model_of(kind("new"), curve(Line(a, b), sizes))]
        return [(one.faster.kind.variant, round(one.policies.value), one.extrapolated) for one in crossings(pair)]

    assert crossed(1e-2, 1e-7) == [("new", 10_000, False)]
    assert crossed(1e-4, 1e-5) == [("slow", 100, False)]
    assert crossed(5.0, 1e-7)[0][2]
    assert crossed(50.0, 1e-7) == []
    assert crossed(1e-4, 1e-7) == []


def test_overtaking_with_a_head_start() -> None:
    """Who begins later overtakes later, or never; who begins earlier and is as fast is ahead from the first policy on."""
    quick, slow = Line(1.0, 0.1), Line(1.0, 0.3)
    assert overtakes(quick, slow) == 0
    assert overtakes(quick, slow, 4.0) == pytest.approx(20)
    assert overtakes(slow, quick, -4.0) == math.inf
    assert overtakes(quick, quick, 1.0) == math.inf
    assert overtakes(quick, quick, -1.0) == 0


def test_what_does_not_hold_is_marked(tmp_path: Path) -> None:
    """A line far from a row is bold in the tables; two sizes are exact, and one has no line."""
    rows = [
        *(row("batched", n, [t] * 7) for n, t in ((1, 1e-3), (100, 2e-3), (10_000, 1e-3))),
        *(row("fused", n, [t] * 7) for n, t in ((1, 1e-3), (100, 2e-3))),
        row("eager", 1, [1e-3] * 7),
    ]
    page = folder.text([machine(tmp_path, rows)])
    section = page.partition("### What a call costs")[2].partition("###")[0]
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in section.splitlines() if line.startswith("| `")]
    assert [(line[0], *line[-2:]) for line in lines[:2]] == [("`batched`", "3", "**59%**"), ("`fused`", "2", "exact")]
    assert [(line[0], line[1], line[-1]) for line in lines[2:]] == [("`batched`", "`fused`", "a line does not hold")]
    assert "`eager`" not in section


def test_a_single_cold_run_pays_from_some_policies_on(tmp_path: Path) -> None:
    """Where a compiled variant starts eight seconds later and saves a millisecond a policy, it is as fast from 8,000 policies on."""
    some = evidence()
    steady = [
        row(name, n, [a + b * n] * 7) for name, a, b in (("batched", 0.1, 2e-3), ("batched-compiled", 0.1, 1e-3)) for n in (1, 100, 10_000)
    ]
    known = machine(tmp_path, [*some["benchmarks"][3:], *steady])
    (one,) = payoffs(known)
    found = single_run(one, models(known))
    assert found is not None
    assert found.value == pytest.approx(8_000, rel=1e-3)
    assert "8.00 k" in folder.text([known])
    assert single_run(one, {}) is None


def committed() -> list[tuple[Kind, Curve]]:
    """The curves of this project's own variants in the committed evidence that have a line; peers may take other ways at other sizes."""
    own = {variant.name for variant in VARIANTS}
    found = [item for each in folder.read(EVIDENCE) for item in curves(each).items()]
    return [(kind, points) for kind, points in found if kind.variant in own and len(points) > 2]


def straight_logs(points: Curve, policies: int) -> float:
    """Interpolation of logarithms between the rows on both sides."""
    below, above = [p for p in points if p.policies < policies][-1], next(p for p in points if p.policies > policies)
    share = math.log(policies / below.policies) / math.log(above.policies / below.policies)
    return math.exp((1 - share) * math.log(below.seconds.value) + share * math.log(above.seconds.value))


def fitted(points: Curve, policies: int) -> float:
    """The line through all the others."""
    line = line_through(points)
    assert line is not None
    return line.seconds(policies)


def rows_between(points: Curve, policies: int) -> float:
    """What is used."""
    return Predictor(points, 50).seconds(policies, 50).value


def test_the_predictor_is_the_best_of_three() -> None:
    """A size left out of the committed evidence is predicted within a third, and no worse than by the line or by logarithms."""
    errors: dict[str, list[float]] = {}
    for _, points in committed():
        for left_out in points[1:-1]:
            rest = tuple(point for point in points if point is not left_out)
            for predict in (rows_between, fitted, straight_logs):
                ratio = predict(rest, left_out.policies) / left_out.seconds.value
                errors.setdefault(predict.__name__, []).append(math.log(ratio))
    factors = {name: math.exp(math.sqrt(statistics.fmean(e * e for e in found))) for name, found in errors.items()}
    assert factors["rows_between"] < 1.15
    assert factors["rows_between"] <= factors["fitted"] * 1.02
    assert factors["fitted"] < factors["straight_logs"] / 2
    assert max(map(abs, errors["rows_between"])) < math.log(4 / 3) + 1e-2


def test_steps_grow_from_what_a_call_takes() -> None:
    """Of a large call the seconds that do not grow stay the same; of a small one the interval covers what is not known."""
    growth = ((10, 1.0 + 0.1), (50, 1.0 + 0.5), (250, 1.0 + 2.5))
    predictor = Predictor(curve(Line(0.5, 1e-4)), 50, growth)
    assert predictor.seconds(1_000_000, 500).value == pytest.approx(1.0 + (100.5 - 1.0) * 10, rel=1e-3)
    low, value, high = predictor.seconds(1, 500)
    assert low == pytest.approx(0.5, rel=1e-3)
    assert high == pytest.approx(0.5 * (2 / 3 + 10 / 3), rel=1e-3)
    assert low < value < high
    assert Predictor(curve(Line(0.5, 1e-4)), 50).seconds(100, 5).value == pytest.approx((0.5 + 1e-2) / 10)


def test_past_the_rows_the_line_goes_on() -> None:
    """Beyond the largest size, and below the smallest, times follow the line, as far off as its misfit; one row says nothing of others."""
    predictor = Predictor(curve(Line(1e-3, 1e-7)), 50)
    assert predictor.seconds(10**8, 50).value == pytest.approx(10.001, rel=1e-4)
    assert not predictor.within(10**8)
    bent = tuple(Point(n, Interval(t, t, t)) for n, t in ((1, 1.0), (100, 3.0), (10_000, 2.0)))
    found = Predictor(bent, 50).seconds(10**6, 50)
    assert found.low < found.value < found.high
    assert Predictor(bent[:1], 50).line is None


def test_a_model_tells_what_very_many_policies_take() -> None:
    """The rate of very many policies is steps over b; without b it has no end."""
    model = model_of(kind("x"), curve(Line(1e-3, 1e-7), noise=0.01))
    assert model.speed.value == pytest.approx(50 / model.per_policy.value)
    assert model.per_policy_step.value == pytest.approx(2e-9, rel=0.05)
    assert Model(kind("x"), model.curve, Line(1.0, 0.0), Lines(np.ones(40), np.zeros(40))).speed.high == math.inf
