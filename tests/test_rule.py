"""The rule of `bench ab`: when one version is slower, and how often that is wrong."""

import math
import random
import statistics

import msgspec
import pytest

from bench.report.verdicts import rates_table
from bench.verdicts import rule
from bench.verdicts.rule import Decision, Estimate, Sample
from bench.verdicts.trials import Tally, Trial, rates, stock_alarms


def sample(shift: float, spread: float = 0.003, n: int = 16, seed: int = 0, apart: float | None = None) -> Sample:
    """What processes might say of a row whose HEAD takes ``exp(shift)`` × as long, and ``exp(apart)`` × in processes of its own."""
    draw = random.Random(seed).gauss  # noqa: S311 — no secret
    other = shift if apart is None else apart
    return Sample(
        paired=[shift + draw(0, spread) for _ in range(n)],
        base=[draw(0, 0.01) for _ in range(n // 2)],
        head=[other + draw(0, 0.01) for _ in range(n // 2)],
    )


def test_a_trimmed_mean_and_its_error() -> None:
    """Of the numbers 1 to 8 one is cut at each end, and its place is taken by its neighbour where the error is made."""
    estimate = rule.trimmed([8, 1, 2, 3, 4, 5, 6, 7])
    assert estimate.mean == 4.5
    assert estimate.freedom == 5
    assert estimate.error == pytest.approx(statistics.stdev([2, 2, 3, 4, 5, 6, 7, 7]) * math.sqrt(7 / 30))


def test_one_wild_process_does_not_decide() -> None:
    """A process that was disturbed beyond all measure changes no verdict."""
    row = sample(0.0)
    row.paired[3] = 3.0
    assert rule.look({"row": row}, 16)["row"].verdict == "SAME"


@pytest.mark.parametrize(("shift", "verdict"), [(0.05, "SLOWER"), (-0.05, "FASTER")])
def test_a_clear_change_is_decided_at_the_first_look(shift: float, verdict: str) -> None:
    """Five per cent among ratios that spread by 0.3 % need no second look, and the interval holds them."""
    decided = rule.look({"row": sample(shift, n=8)}, 8)["row"]
    assert (decided.verdict, decided.processes) == (verdict, 8)
    assert decided.ratio is not None
    assert decided.ratio.low < math.exp(shift) < decided.ratio.high


def test_what_is_not_decided_waits_for_the_last_look() -> None:
    """No change is no verdict at the first look, and SAME at the last; where ratios spread too far it is UNCLEAR."""
    assert rule.look({"row": sample(0.0, n=8)}, 8) == {}
    last = rule.look({"still": sample(0.0), "wild": sample(0.0, spread=0.1)}, 16)
    assert {name: decision.verdict for name, decision in last.items()} == {"still": "SAME", "wild": "UNCLEAR"}


def test_what_slows_the_whole_process_is_not_the_same() -> None:
    """Where both sides take as long side by side, but HEAD takes 10 % more in processes of its own, the verdict is UNCLEAR, and says so."""
    decided = rule.look({"row": sample(0.0, apart=0.1)}, 16)["row"]
    assert decided.verdict == "UNCLEAR"
    assert "the whole process" in decided.note


def test_processes_apart_decide_where_both_cannot_be_in_one() -> None:
    """Ten per cent are seen by processes apart, and two are not called the same."""
    decided = rule.look_apart({"slow": sample(0.0, apart=0.1), "near": sample(0.0, apart=0.02)})
    assert {name: decision.verdict for name, decision in decided.items()} == {"slow": "SLOWER", "near": "UNCLEAR"}


def test_holm_gives_the_smallest_chance_the_strictest_bound() -> None:
    """Chances are held against α/3, α/2 and α in turn, and the first that fails ends it."""
    assert rule.holm({"a": 0.001, "b": 0.004, "c": 0.9}, 0.009) == {"a", "b"}
    assert rule.holm({"a": 0.0031, "b": 0.0032, "c": 0.0033}, 0.009) == set()


def test_false_alarms_stay_below_what_is_promised() -> None:
    """Of 3,000 runs of three rows, each at the least change that counts, at most 1 % call any row SLOWER or FASTER."""
    alarms = 0
    for run in range(3000):
        rows = {str(k): sample(rule.LEAST_CHANGE, spread=0.004, seed=3 * run + k) for k in range(3)}
        early = rule.look({name: Sample(row.paired[:8], row.base, row.head) for name, row in rows.items()}, 8)
        late = rule.look({name: row for name, row in rows.items() if name not in early}, 16) if len(early) < 3 else {}
        alarms += any(decision.verdict in ("SLOWER", "FASTER") for decision in (early | late).values())
    assert alarms / 3000 <= 0.01


def test_an_interval_holds_the_truth_but_for_alpha_on_each_side() -> None:
    """Student's t, by its table: 2.5 % on each side of 5 degrees of freedom are 2.5706 errors, 0.1 % of 10 are 4.1437."""
    assert Estimate(0.0, 0.01, 5).half_width(0.025) == pytest.approx(0.025706, abs=1e-6)
    low, value, high, level = Estimate(0.1, 0.01, 10).interval(0.001)
    assert level == 0.998
    assert math.log(low) == pytest.approx(0.1 - 0.041437, abs=1e-6)
    assert value == math.exp(0.1)
    assert math.log(high) == pytest.approx(0.1 + 0.041437, abs=1e-6)


def test_the_chance_of_a_mean_is_counted_from_the_change_that_it_is_held_against() -> None:
    """A mean that is the change itself is met in half of all runs, one 2.5706 errors above it in 2.5 % at 5 degrees of freedom."""
    assert Estimate(0.005, 0.01, 5).beyond(0.005) == pytest.approx(0.5)
    assert Estimate(0.005 + 0.025706, 0.01, 5).beyond(0.005) == pytest.approx(0.025, abs=1e-6)
    assert Estimate(0.01, 0.0, 5).beyond(0.005) < 1e-6
    assert Estimate(0.005 + 1e-13, 0.0, 5).beyond(0.005) == pytest.approx(0.46, abs=0.01)


def test_processes_apart_are_compared_as_welch_does() -> None:
    """Mean difference, error and degrees of freedom, rounded down, of two sets of unequal spread and size."""
    estimate = rule.apart([1.0, 2.0, 3.0], [4.0, 8.0, 4.0, 8.0])
    first, second = 1.0 / 3, (16 / 3) / 4
    assert estimate == Estimate(4.0, math.sqrt(first + second), math.floor((first + second) ** 2 / (first**2 / 2 + second**2 / 3)))
    assert rule.apart([1.0, 1.0], [2.0, 2.0]) == Estimate(1.0, 0.0, 1)
    assert rule.apart([1.0], [2.0, 3.0]) is None
    assert rule.apart([1.0, 2.0], [3.0]) is None
    nearly = rule.apart([0.0, 1.0], [5.0, 5.0 + 1e-9])
    assert nearly is not None
    assert nearly.freedom == 1


def test_two_chances_are_kept_over_all_looks() -> None:
    """The looks, their chances and the changes that count are those of the published rates."""
    assert rule.LOOKS == {8: 0.002, 16: 0.003}
    assert (rule.LAST, rule.TRIMMED, rule.APART_ALPHA) == (16, 0.2, 0.002)
    assert math.exp(rule.LEAST_CHANGE) == pytest.approx(1.005)
    assert math.exp(rule.MOST_SAME) == pytest.approx(1.02)
    assert math.exp(rule.TELLING) == pytest.approx(1.06)


def test_the_interval_of_a_row_is_that_of_its_look() -> None:
    """At 99.6 % after 8 processes and at 99.4 % after 16, whatever the verdict, and it says so."""
    rows = {"slow": sample(0.05), "still": sample(0.0), "wild": sample(0.0, spread=0.1)}
    for name, decision in rule.look(rows, 16).items():
        assert decision.ratio == rule.trimmed(rows[name].paired).interval(0.003)
        assert decision.ratio is not None
        assert decision.ratio.level == pytest.approx(0.994)
    early = sample(0.05, n=8)
    assert rule.look({"row": early}, 8)["row"].ratio == rule.trimmed(early.paired).interval(0.002)


def test_many_rows_are_corrected_for() -> None:
    """A change that is beyond doubt in a row alone is not among fifty rows without one."""
    near = sample(0.0085, spread=0.003)
    assert rule.look({"near": near}, 16)["near"].verdict == "SLOWER"
    among = rule.look({"near": near} | {str(k): sample(0.0, seed=k + 1) for k in range(50)}, 16)
    assert among["near"].verdict != "SLOWER"
    faster = Sample([-value for value in near.paired], near.base, near.base)
    assert rule.look({"near": faster}, 16)["near"].verdict == "FASTER"
    assert rule.look({"near": faster} | {str(k): sample(0.0, seed=k + 1) for k in range(50)}, 16)["near"].verdict != "FASTER"


def even(mean: float, half: float, n: int) -> list[float]:
    """Values whose mean is given, half of them as far above it as the others are below."""
    return [mean - half, mean + half] * (n // 2)


@pytest.mark.parametrize("side", [1, -1])
def test_the_same_is_less_than_two_per_cent_for_certain(side: int) -> None:
    """SAME is said where the whole interval lies within 2 %, on either side, and not where it only just does not."""
    spread = even(0.0, 0.0065, 16)
    most = rule.MOST_SAME - rule.trimmed(spread).half_width(0.003)
    for mean, verdict in ((most - 1e-6, "SAME"), (most + 1e-6, "UNCLEAR")):
        row = Sample([side * mean + value for value in spread])
        assert rule.look({"row": row}, 16)["row"].verdict == verdict


def test_a_check_that_says_nothing_is_noted() -> None:
    """Processes apart that spread too far to see a change of 6 % leave the verdict, with a note; without any there is no note."""
    paired = even(0.0, 0.001, 16)
    tight = rule.look({"row": Sample(paired, even(0, 0.001, 8), even(0, 0.001, 8))}, 16)["row"]
    assert (tight.verdict, tight.note) == ("SAME", "")
    wide = rule.look({"row": Sample(paired, even(0, 0.1, 8), even(0, 0.1, 8))}, 16)["row"]
    assert (wide.verdict, wide.note) == ("SAME", "the check of processes apart is not informative")
    assert rule.look({"row": Sample(paired)}, 16)["row"].note == ""


@pytest.mark.parametrize("change", [0.1, -0.1])
def test_a_change_of_the_whole_process_is_told_with_its_size(change: float) -> None:
    """The note gives the change in processes apart, with its sign."""
    decision = rule.look({"row": Sample(even(0.0, 0.001, 16), even(0, 0.001, 8), even(change, 0.001, 8))}, 16)["row"]
    assert (decision.verdict, decision.processes) == ("UNCLEAR", 16)
    assert decision.ratio == rule.trimmed(even(0.0, 0.001, 16)).interval(0.003)
    assert decision.note == f"in processes apart HEAD takes {math.exp(change) - 1:+.1%}: something changes the whole process"


def test_processes_apart_alone_give_every_verdict() -> None:
    """Slower, faster, the same or unclear, with the interval of the check, the processes of both sides, and what it can see."""
    rows = {
        "slower": Sample([], even(0, 0.01, 8), even(0.1, 0.01, 8)),
        "faster": Sample([], even(0, 0.01, 8), even(-0.1, 0.01, 8)),
        "same": Sample([], even(0, 0.002, 8), even(0.001, 0.002, 6)),
        "unclear": Sample([], even(0, 0.05, 8), even(0, 0.05, 8)),
        "alone": Sample([], [0.0], [0.0]),
    }
    decisions = rule.look_apart(rows)
    assert {name: decision.verdict for name, decision in decisions.items()} == {
        "slower": "SLOWER", "faster": "FASTER", "same": "SAME", "unclear": "UNCLEAR", "alone": "UNCLEAR",
    }  # fmt: skip
    assert [decision.processes for decision in decisions.values()] == [16, 16, 14, 16, 2]
    for name, decision in decisions.items():
        check = rule.apart(rows[name].base, rows[name].head)
        assert decision.ratio == (None if check is None else check.interval(0.002))
        assert decision.note == "measured in processes apart, which see no change under some 5 %"


def test_a_row_that_ended_early_keeps_what_it_has() -> None:
    """From four processes on an interval is given; the note says why it ended and after how many."""
    values = even(0.02, 0.001, 4)
    assert rule.undecided(Sample(values), "interrupted") == Decision(
        "UNCLEAR", rule.trimmed(values).interval(0.003), 4, "interrupted after 4 processes"
    )
    assert rule.undecided(Sample(values[:3]), "out of time") == Decision("UNCLEAR", None, 3, "out of time after 3 processes")


def test_holm_stops_at_the_first_that_fails() -> None:
    """One that would pass by itself is not rejected behind one that failed, and a chance of exactly its bound is."""
    assert rule.holm({"a": 0.0031, "b": 0.0032, "c": 0.0033}, 0.009) == set()
    assert rule.holm({"a": 0.25}, 0.25) == {"a"}
    assert rule.holm({"b": 0.125, "a": 0.25}, 0.25) == {"a", "b"}


def test_stock_alarms_compare_medians_five_per_cent_apart() -> None:
    """One of BASE's processes against one of HEAD's: an alarm from 5 % on."""
    trial_of_three = Trial(
        group=0, row="a", planted=0.0, paired=[0.0] * 16, base=[2.0, 2.0, 0.0], head=[2 + math.log(1.049), 2 + math.log(1.051), -1.0]
    )
    assert stock_alarms(trial_of_three) == [False, True, False]
    assert stock_alarms(Trial(group=0, row="a", planted=0.0, paired=[0.0] * 16, base=[0.0], head=[])) == []


def test_rates_tell_every_verdict_by_slowdown() -> None:
    """FASTER and those decided at the first look are counted of all, SAME of those timed apart, and stock alarms of all comparisons."""

    def made(planted: float, group: int, shift: float) -> Trial:
        return Trial(group=group, row="a", planted=planted, paired=even(shift, 0.001, 16), base=[0.0, 0.0], head=[shift, shift])

    nothing, slow = rates([made(0.0, 0, 0.0), made(0.0, 1, -0.1), made(0.1, 2, 0.1), made(0.1, 3, 0.0), made(0.1, 4, 0.1)])
    assert nothing == (0.0, Tally(0, 2), Tally(1, 2), Tally(1, 2), Tally(1, 2), Tally(0, 4), Tally(1, 1))
    assert slow == (0.1, Tally(2, 3), Tally(0, 3), Tally(1, 3), Tally(2, 3), Tally(4, 6), Tally(0, 1))


def cluster_trial(shift: float, group: int, number: int | None, row: str = "a", planted: float = 0.0, apart: int = 8) -> Trial:
    """A trial of a set of processes, whose sides were timed apart in so many of them."""
    alone = even(0.0, 0.001, 8)[:apart]
    return Trial(
        group=group, row=row, planted=planted, paired=even(shift, 0.001, 16), base=alone, head=[shift + log for log in alone],
        set_number=number,
    )  # fmt: skip


def test_trials_of_the_same_processes_count_once() -> None:
    """Seven trials of a row and one set are one cluster: an alarm in any makes it one, and a slowdown missed in any leaves it unfound."""
    still = [cluster_trial(-0.1 if (k, number, row) == (3, 1, "b") else 0.0, 7 * number + k, number, row)
             for number in range(3) for k in range(7) for row in "ab"]  # fmt: skip
    (counts,) = rates(still)
    assert (counts.faster, counts.clusters) == (Tally(1, 42), Tally(1, 6))
    slowed = [
        cluster_trial(0.0 if (k, number) == (1, 2) else 0.1, 7 * number + k, number, planted=0.1) for number in range(3) for k in range(2)
    ]
    (counts,) = rates(slowed)
    assert (counts.slower, counts.clusters) == (Tally(5, 6), Tally(2, 3))


def test_files_from_before_sets_were_recorded_have_eleven_groups_a_set() -> None:
    """Their trials are of the set that their group stands in, the first of it and the last; a recorded set is taken as it is."""
    assert [cluster_trial(0.0, group, None).cluster for group in (0, 10, 11, 21, 22)] == [(number, "a") for number in (0, 0, 1, 1, 2)]
    assert cluster_trial(0.0, 10, 5, "b").cluster == (5, "b")


def test_the_same_is_counted_where_it_was_checked() -> None:
    """Trials that were not timed apart, or too seldom to tell, count for the rule's alarms and not for SAME."""
    (counts,) = rates([cluster_trial(0.0, k, 0, apart=apart) for k, apart in enumerate((8, 2, 1, 0))])
    assert counts.same == Tally(2, 2)
    assert counts.slower == Tally(0, 4)
    table = rates_table([cluster_trial(0.0, k, 0, apart=apart) for k, apart in enumerate((8, 0))])
    assert [cell.strip() for cell in table.splitlines()[-1].split("|")[3:7]] == ["0 of 2", "0 of 1: 0.0% [0.0%, 97.5%]", "0", "1 of 1"]


def test_rates_heed_the_check_of_processes_apart() -> None:
    """A trial whose sides differ in processes apart alone counts as none of the three verdicts."""
    still, other = even(0.0, 0.001, 16), even(0.1, 0.001, 8)
    (counts,) = rates([Trial(group=0, row="a", planted=0.0, paired=still, base=still[:8], head=other)])
    assert (counts.slower.hits, counts.faster.hits, counts.same.hits) == (0, 0, 0)


def test_rows_decided_at_the_first_look_free_the_others() -> None:
    """Rows of one group are decided together: the last look corrects for those alone that the first left open."""
    near = sample(0.0085, spread=0.003)
    clear = [Trial(group=0, row=str(k), planted=0.1, paired=even(0.1, 0.001, 16), base=[], head=[]) for k in range(50)]
    open_one = Trial(group=0, row="near", planted=0.1, paired=near.paired, base=[], head=[])
    (counts,) = rates([*clear, open_one])
    assert counts.slower == (51, 51)
    assert counts.early == (50, 51)


def trial(planted: float, group: int, row: str) -> Trial:
    """A trial of the self-test, as it might come out."""
    drawn = sample(math.log1p(planted), seed=group)
    return Trial(group=group, row=row, planted=planted, paired=drawn.paired, base=drawn.base, head=drawn.head)


def test_rates_are_counted_over_trials() -> None:
    """Trials without a slowdown have no alarm, those of 5 % are all found, and the table says so, with exact intervals of clusters."""
    made = [trial(planted, group + 100 * (planted > 0), row) for planted in (0.0, 0.05) for group in range(10) for row in "abc"]
    nothing, slow = rates(made)
    assert (nothing.slower.hits, nothing.faster.hits, nothing.slower.of) == (0, 0, 30)
    assert (slow.slower.hits, slow.early.hits) == (30, 30)
    numbered = [msgspec.structs.replace(each, set_number=each.group) for each in made]
    assert "0 of 30  | 0 of 30: 0.0% [0.0%, 11.6%]" in rates_table(numbered)
    assert "0 of 30  | 0 of 3: 0.0% [0.0%, 70.8%]" in rates_table(made)
