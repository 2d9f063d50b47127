"""`python -m bench recommend`: what to use, by the evidence."""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.commands import recommend
from bench.cost import here
from bench.cost.advice import Advice, advise
from bench.cost.candidates import Wanted
from bench.evidence.records import read
from bench.report import folder
from bench.report.advice import text
from bench.report.machine import Machine
from bench.report.summary import fastest_rows
from targetrl_core.errors import UsageError
from tests.some_evidence import CELL, evidence, row

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


def test_the_measured_fastest_is_recommended() -> None:
    """At each N of the committed evidence, what is recommended is what was measured to be fastest, at the time that was measured."""
    for each in folder.read(ROOT / "results"):
        for arithmetic in ("native", "portable"):
            for n, fastest in fastest_rows(each, arithmetic).items():
                pick = advise([each], wanted(n, arithmetic=arithmetic)).picks[0].best
                assert pick.variant == fastest.extra_info.variant
                assert pick.seconds == pytest.approx(each.seconds(fastest).value)


def test_each_is_recommended_where_it_is_fastest(tmp_path: Path) -> None:
    """Between the rows as at them: eager for two policies, then batched, then what is compiled, each with the N of the next."""
    known = machines(tmp_path)
    found = [advise(known, wanted(n)) for n in (1, 50, 1_000_000)]
    assert [best(one) for one in found] == ["eager", "batched", "batched-compiled"]
    crossings = [one.picks[0].next for one in found]
    assert [None if next_ is None else (next_.policies, next_.variant) for next_ in crossings] == [
        (2, "batched"), (100_001, "batched-compiled"), None,
    ]  # fmt: skip
    assert found[1].picks[0].runner_up is not None


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
    found = advise(machines(tmp_path, targetrl=known | {"absent": absent}), wanted(10**8))
    assert [(one.variant, one.absence) for one in found.choices] == [("batched-compiled", "memory is short"), ("batched", None)]
    assert best(found) == "batched"
    said = text(found, "")
    assert "extrapolated from N = 1,000,000 (1)\n" in said
    assert "\n(1) not measured: memory is short\n" in said


def test_another_objective_takes_rows_of_the_first(tmp_path: Path) -> None:
    """Sizes that were not measured of an objective are told from `detached`, and it is said; at its own rows they are its own."""
    some = content(absent=[])
    some["benchmarks"].append(row("batched", 1_000_000, [0.5] * 7, objective="pathwise"))
    known = machines(tmp_path, **some)
    own, other = (
        next(one for one in advise(known, wanted(n, objective="pathwise")).choices if one.variant == "batched") for n in (1_000_000, 100)
    )
    assert (own.remarks, other.remarks) == ([], ["by rows of detached"])
    assert own.seconds == pytest.approx(0.5)
    assert other.seconds == pytest.approx(LINES["batched"][0] + 1e-5)
    with pytest.raises(UsageError, match=r"^some, cpu: no rows of detached, portable arithmetic, to tell N = 5 from$"):
        advise(known, wanted(5, arithmetic="portable"))


def ran(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command."""
    return subprocess.run([sys.executable, "-m", "bench", "recommend", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)


def test_it_says_what_to_use(tmp_path: Path) -> None:
    """A table and a sentence, or all of it as JSON; evidence of another processor is said to be that."""
    (tmp_path / "some-cpu.json").write_text(json.dumps(content(absent=[])))
    said = ran("--policies", "1e4", "--results", str(tmp_path))
    assert (said.returncode, said.stderr) == (0, "")
    assert "No evidence is of this processor" in said.stdout
    assert "Use batched on cpu (some): 3.00 ms, bounded, 3.40 × as fast as the runner-up, batched-compiled" in said.stdout
    assert "From N = 100,001 on batched-compiled on cpu (some) is faster." in said.stdout
    whole = json.loads(ran("--policies", "10_000", "--results", str(tmp_path), "--json").stdout)
    assert (whole["policies"], whole["picks"][0]["best"]["variant"]) == (10_000, "batched")


def test_evidence_of_this_machine_goes_first(tmp_path: Path) -> None:
    """Of several files those are taken whose processor and cores are this machine's."""
    name, cores = here.processor()
    mine = content()["targetrl"]["fingerprint"] | {"processor": name, "logical_cores": cores}
    (other,) = machines(tmp_path)
    (this,) = machines(tmp_path, targetrl=content(absent=[], fingerprint=mine, label="mine")["targetrl"])
    assert here.measured_here([other, this], name, cores) == [this]
    assert here.measured_here([other], name, cores) == []


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
        recommend.run(parser.parse_args(arguments))
    assert str(raised.value).startswith(message)
    assert "\n" not in str(raised.value)


def test_wrong_usage_ends_with_two() -> None:
    """The command's exit code is 2, and what it says is one line."""
    said = ran("--policies", "none")
    assert (said.returncode, said.stdout, said.stderr.count("\n")) == (2, "", 1)


def test_policies_are_required() -> None:
    """The usage shows --policies as required, and its absence is one line that names it."""
    said = ran()
    assert (said.returncode, said.stdout) == (2, "")
    assert said.stderr == (
        "python -m bench recommend: the following arguments are required: --policies; see python -m bench recommend --help\n"
    )
    usage = ran("--help").stdout
    assert " --policies N " in usage
    assert "[--policies N]" not in usage


def test_recommending_needs_no_torch() -> None:
    """From the command line to the table, torch is not imported."""
    code = (
        "import sys; sys.argv[1:] = ['recommend', '--policies', '10']; from bench import __main__; "
        "sys.exit(__main__.main() or 'torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=False).returncode == 0
