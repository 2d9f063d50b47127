"""`python -m bench recommend`: what to use, by the evidence."""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.commands import recommend
from bench.cost.advice import Advice, advise
from bench.cost.candidates import Choice, Wanted
from bench.evidence.machine import Machine
from bench.evidence.records import read
from bench.report import folder
from bench.report.advice import text
from bench.report.tables import fastest_rows
from targetrl_core.errors import UsageError
from tests.some_evidence import CELL, EVIDENCE, evidence, row

ROOT = Path(__file__).parent.parent
SIZES = (1, 100, 10_000, 1_000_000)
LINES = {"eager": (1e-4, 1e-3), "batched": (2e-3, 1e-7), "batched-compiled": (1e-2, 2e-8)}


def wanted(policies: int, objective: str = "detached", arithmetic: str = "native", *, cold: bool = False, steps: int = 50) -> Wanted:
    """What is asked of some policies."""
    return Wanted(policies, steps, objective, arithmetic, cold)


def content(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 — fields of targetrl
    """Evidence of three variants that overtake each other at N = 3 and 100,000, eager up to 100 policies; and the cold starts of two."""
    steady = [row(name, n, [a + b * n] * 7) for name, (a, b) in LINES.items() for n in SIZES if name != "eager" or n <= 100]
    some = evidence(**changes)
    return some | {"benchmarks": [*steady, *some["benchmarks"][3:]]}


def machines(tmp_path: Path, **changes: Any) -> list[Machine]:  # noqa: ANN401 — fields of targetrl
    """The same, read."""
    path = tmp_path / "some-cpu.json"
    path.write_text(json.dumps(content(absent=[]) | changes))
    return [Machine(read(path))]


def best(advice: Advice) -> str:
    """The recommended variant."""
    return advice.picks[0].best.variant


def choices(known: list[Machine], problem: Wanted) -> dict[str, Choice]:
    """What there is to choose from, by variant."""
    return {choice.variant: choice for choice in advise(known, problem).choices}


def test_the_measured_fastest_is_recommended() -> None:
    """At each N of the committed evidence, what is recommended is what was measured to be fastest, at the time that was measured."""
    for each in folder.read(EVIDENCE):
        for arithmetic in ("native", "portable"):
            for n, fastest in fastest_rows(each, arithmetic).items():
                pick = advise([each], wanted(n, arithmetic=arithmetic)).picks[0].best
                assert pick.variant == fastest.extra_info.variant
                assert pick.seconds == pytest.approx(each.seconds(fastest).value)


def test_each_is_recommended_where_it_is_fastest(tmp_path: Path) -> None:
    """Between the rows as at them: eager for two policies, then batched, then what is compiled, each with the N of the next."""
    known = machines(tmp_path)
    advised = [advise(known, wanted(n)) for n in (1, 50, 1_000_000)]
    assert [best(advice) for advice in advised] == ["eager", "batched", "batched-compiled"]
    crossings = [advice.picks[0].next for advice in advised]
    assert [None if next_ is None else (next_.policies, next_.variant) for next_ in crossings] == [
        (2, "batched"), (100_001, "batched-compiled"), None,
    ]  # fmt: skip
    assert advised[1].picks[0].runner_up is not None


def test_a_cold_start_counts(tmp_path: Path) -> None:
    """From a cold start the quick to start are best until compiling is paid for; each state of the cache is spoken of."""
    known = machines(tmp_path)
    (few,), (many,) = (advise(known, wanted(n, cold=True, steps=1000)).picks for n in (1_000_000, 10**8))
    assert (few.cache, few.best.variant) == ("empty", "batched")
    # Starting costs 8 s more and each call 20 × 8 ms; of each policy 20 × 80 ns are saved.
    assert few.next is not None
    assert few.next.variant == many.best.variant == "batched-compiled"
    assert few.next.policies == pytest.approx((8.0 + 20 * 8e-3) / (20 * 80e-9), rel=1e-3)
    assert few.best.seconds == pytest.approx(1.0 + 0.1 + 0.25 + 20 * (2e-3 + 0.1))


def test_what_the_evidence_advises_against_is_not_recommended(tmp_path: Path) -> None:
    """A variant that was withheld is no candidate; one that has a reason instead of a row of that size is shown, but not recommended."""
    known = evidence()["targetrl"]
    absent = [
        {
            "name": "x",
            "kind": "not measured",
            "reason": "memory is short",
            "cell": CELL | {"variant": "batched-compiled", "policies": 10**7},
        },
        {"name": "y", "kind": "withheld", "reason": "wrong", "cell": CELL | {"variant": "eager", "policies": 10_000}},
    ]
    advice = advise(machines(tmp_path, targetrl=known | {"absent": absent}), wanted(10**8))
    assert [(choice.variant, choice.absence) for choice in advice.choices] == [("batched-compiled", "memory is short"), ("batched", None)]
    assert best(advice) == "batched"
    (pick,) = advise(machines(tmp_path, targetrl=known | {"absent": absent}), wanted(10**6)).picks
    assert pick.next is not None
    assert (pick.best.variant, pick.next.policies, pick.next.variant) == ("batched-compiled", 10**7, "batched")
    printed = text(advice, "")
    assert "extrapolated from N = 1,000,000 (1)\n" in printed
    assert "\n(1) not measured: memory is short\n" in printed


def test_another_objective_takes_rows_of_the_first(tmp_path: Path) -> None:
    """Sizes that were not measured of an objective are told from `detached`, and it is said; at its own rows they are its own."""
    some = content(absent=[])
    some["benchmarks"].append(row("batched", 1_000_000, [0.5] * 7, objective="pathwise"))
    known = machines(tmp_path, **some)
    own, other = (choices(known, wanted(n, objective="pathwise"))["batched"] for n in (1_000_000, 100))
    assert (own.remarks, other.remarks) == ([], ["by rows of detached"])
    assert own.seconds == pytest.approx(0.5)
    assert other.seconds == pytest.approx(LINES["batched"][0] + 1e-5)
    with pytest.raises(UsageError, match=r"^some, cpu: no rows of detached, portable arithmetic, to tell N = 5 from$"):
        advise(known, wanted(5, arithmetic="portable"))


def without(reason: str, objective: str, n: int) -> dict[str, Any]:
    """A row of `batched-compiled` that was not measured."""
    cell = CELL | {"variant": "batched-compiled", "policies": n, "objective": objective}
    return {"name": f"{objective}-{n}", "kind": "not measured", "reason": reason, "cell": cell}


@pytest.mark.parametrize("objective", ["pathwise", "reinforce"])
def test_what_cannot_train_an_objective_is_no_candidate(tmp_path: Path, objective: str) -> None:
    """A variant whose rows of an objective have a reason of their own is left out; a reason that `detached` has too is one of size."""
    rows = [row("batched", 10_000, [0.5] * 7, objective=objective)]
    some = content(absent=[without(f"it does not train {objective}", objective, 10_000)])
    some["benchmarks"] += rows
    for n in (100, 10_000, 10**6):
        assert "batched-compiled" not in choices(machines(tmp_path, **some), wanted(n, objective))
    assert "batched-compiled" in choices(machines(tmp_path, **some), wanted(10_000))
    some = content(absent=[without("memory is short", kind, 10**8) for kind in ("detached", objective)])
    some["benchmarks"] += rows
    assert ("batched-compiled" in choices(machines(tmp_path, **some), wanted(10_000, objective))) == (objective == "pathwise")


def test_a_dearer_objective_never_takes_rows_of_the_first(tmp_path: Path) -> None:
    """One row of `reinforce` tells of other sizes in proportion beyond what a call costs, and says so; without one it is none."""
    some = content(absent=[])
    some["benchmarks"].append(row("batched", 10_000, [0.052] * 7, objective="reinforce"))
    known = machines(tmp_path, **some)
    dispatch, each = LINES["batched"][0], (0.052 - LINES["batched"][0]) / 10_000
    advised = {n: choices(known, wanted(n, "reinforce")) for n in (1, 100, 10_000, 10**6)}
    assert all(set(variants) == {"batched"} for variants in advised.values())
    batched = {n: variants["batched"] for n, variants in advised.items()}
    assert {n: choice.seconds for n, choice in batched.items()} == pytest.approx({n: dispatch + each * n for n in batched}, rel=1e-3)
    by_one_row = "by its one row of reinforce, N = 10,000, and what a call costs for detached"
    assert batched[100].remarks == [by_one_row]
    assert batched[10_000].remarks == []
    assert batched[10**6].remarks == ["extrapolated from N = 10,000", by_one_row]
    assert batched[1].low < batched[1].seconds < batched[1].high


def test_several_rows_of_a_dearer_objective_are_its_curve(tmp_path: Path) -> None:
    """Between its own rows and past them `reinforce` goes by nothing else, also where the row that is left is the smaller one."""
    some = content(absent=[])
    some["benchmarks"] += [row("batched", n, [0.01 + 1e-5 * n] * 7, objective="reinforce") for n in (1000, 100_000)]
    known = machines(tmp_path, **some)
    for n, remarks in ((10, ["extrapolated from N = 1,000"]), (10_000, []), (10**6, ["extrapolated from N = 100,000"])):
        choice = choices(known, wanted(n, "reinforce"))["batched"]
        assert choice.seconds == pytest.approx(0.01 + 1e-5 * n, rel=1e-3)
        assert choice.remarks == remarks


def test_an_objective_without_a_way_to_tell_is_refused(tmp_path: Path) -> None:
    """Where nothing has a row of `reinforce`, or one row and nothing of what a call costs, the error says of what there is none."""
    message = r"^some, cpu: no rows of reinforce, native arithmetic, to tell N = 100 from$"
    with pytest.raises(UsageError, match=message):
        advise(machines(tmp_path), wanted(100, "reinforce"))
    alone = [row("batched", 10_000, [0.05] * 7, objective="reinforce"), row("batched", 10_000, [0.003] * 7)]
    known = machines(tmp_path, benchmarks=alone)
    with pytest.raises(UsageError, match=message):
        advise(known, wanted(100, "reinforce"))
    (pick,) = advise(known, wanted(10_000, "reinforce")).picks
    assert pick.best.seconds == pytest.approx(0.05)
    assert pick.next is None


def test_the_committed_evidence_recommends_what_can_train_reinforce() -> None:
    """Of numpy, numba and jax, which cannot draw its noise, none is named at any N; a million go by the row of 10,000."""
    for each in folder.read(EVIDENCE):
        advised = {n: choices([each], wanted(n, "reinforce")) for n in (1, 10_000, 10**6)}
        for names in advised.values():
            assert not {"numpy", "numba", "jax-scan", "jax-grad"} & set(names)
        # A hundred times the row, less the dispatch that does not grow; by rows of detached it would be a fifth of that.
        assert 50 < advised[10**6]["fused"].seconds / advised[10_000]["fused"].seconds <= 100


def ran(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command."""
    return subprocess.run([sys.executable, "-m", "bench", "recommend", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)


def test_it_says_what_to_use(tmp_path: Path) -> None:
    """A table and a sentence, or all of it as JSON; evidence of another processor is said to be that."""
    (tmp_path / "some-cpu.json").write_text(json.dumps(content(absent=[])))
    printed = ran("--policies", "1e4", "--results", str(tmp_path))
    assert (printed.returncode, printed.stderr) == (0, "")
    assert "No evidence is of this processor" in printed.stdout
    assert "Use batched on cpu (some): 3.00 ms, bounded, 3.40 × as fast as the runner-up, batched-compiled" in printed.stdout
    assert "From N = 100,001 on batched-compiled on cpu (some) is faster." in printed.stdout
    whole = json.loads(ran("--policies", "10_000", "--results", str(tmp_path), "--json").stdout)
    assert (whole["policies"], whole["picks"][0]["best"]["variant"]) == (10_000, "batched")


def test_evidence_of_this_machine_goes_first(tmp_path: Path) -> None:
    """Of several files those are taken whose processor and cores are this machine's."""
    name, cores = recommend.processor()
    mine = content()["targetrl"]["fingerprint"] | {"processor": name, "logical_cores": cores}
    (other,) = machines(tmp_path)
    (this,) = machines(tmp_path, targetrl=content(absent=[], fingerprint=mine, label="mine")["targetrl"])
    assert recommend.measured_on([other, this], name, cores) == [this]
    assert recommend.measured_on([other], name, cores) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--policies", "0"], "policies is '0'; it must be a whole number from 1 to 1e15, as 10000 or 1e6"),
        (["--policies", "1.5"], "policies is '1.5'; it must be a whole number"),
        (["--policies", "inf"], "policies is 'inf'; it must be a whole number"),
        (["--policies", "many"], "policies is 'many'; it must be a whole number"),
        (["--policies", "5", "--steps", "-1"], "steps is '-1'; it must be a whole number"),
        (["--policies", "5", "--device", "tpu"], "device is 'tpu'; it must be one of cpu, cuda, mps"),
        (["--policies", "5", "--device", "mps"], "device is 'mps'; it must be one that"),
        (["--policies", "5", "--objective", "x"], "objective is 'x'; it must be one of detached, pathwise"),
        (["--policies", "5", "--arithmetic", "x"], "arithmetic is 'x'; it must be one of native, portable"),
        (["--policies", "5", "--results", "nowhere"], "nowhere: no evidence is there"),
    ],
)
def test_wrong_usage_is_one_line(arguments: list[str], message: str) -> None:
    """What cannot be used is named with what is allowed."""
    parser = argparse.ArgumentParser()
    recommend.add_arguments(parser)
    with pytest.raises(UsageError) as raised:
        recommend.run(parser.parse_args(["--results", str(EVIDENCE), *arguments]))
    assert str(raised.value).startswith(message)
    assert "\n" not in str(raised.value)


def test_wrong_usage_ends_with_two() -> None:
    """The command's exit code is 2, and what it says is one line."""
    printed = ran("--policies", "none")
    assert (printed.returncode, printed.stdout, printed.stderr.count("\n")) == (2, "", 1)


def test_policies_are_required() -> None:
    """The usage shows --policies as required, and its absence is one line that names it."""
    printed = ran()
    assert (printed.returncode, printed.stdout) == (2, "")
    assert printed.stderr == (
        "python -m bench recommend: the following arguments are required: --policies; see python -m bench recommend --help\n"
    )
    usage = ran("--help").stdout
    assert " --policies N " in usage
    assert "[--policies N]" not in usage


def test_recommending_needs_no_torch() -> None:
    """From the command line to the table, torch is not imported."""
    code = (
        f"import sys; sys.argv[1:] = ['recommend', '--policies', '10', '--results', {str(EVIDENCE)!r}]; from bench import __main__; "
        "sys.exit(__main__.main() or 'torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=False).returncode == 0
