"""The identity check: outcomes, first steps, ambiguity, and what it compares."""

import math
import re
from typing import Any

import pytest
import torch

from targetrl_core import Population, Problem, Variant, certification, examination, train
from targetrl_core.certification import certify, same_bits
from targetrl_core.convergence import (
    allowed_ambiguous,
    check,
    expect,
    passes,
)
from targetrl_core.history import History
from targetrl_core.listing.defaults import OBJECTIVES
from targetrl_core.listing.outcomes import Outcomes, count_outcomes, first_steps
from targetrl_core.recorded import history_faults, row_faults
from targetrl_core.rounding import FACTOR
from targetrl_core.variants import Train
from targetrl_core.variants.batched import BATCHED
from targetrl_core.verification import verify
from tests.cheats import CHEATS

CPU = torch.device("cpu")


def test_outcomes_by_their_definition() -> None:
    """At target comes first, then collapsed and saturated, then elsewhere."""
    o = torch.tensor([0.80, 0.819, 0.8201, 0.0499, 0.0, 0.0501, 0.9501, 1.0, 0.9499, 0.5])
    assert count_outcomes(o, Problem()) == Outcomes(at_target=2, collapsed=2, saturated=2, elsewhere=4)
    assert count_outcomes(torch.tensor([0.96]), Problem(target=0.95)) == Outcomes(1, 0, 0, 0)


def test_first_step_at_target() -> None:
    """The first step within 0.02 of the target counts, and `steps` stands for never."""
    outputs = torch.tensor([[0.5, 0.79, 0.1], [0.79, 0.5, 0.1], [0.80, 0.8, 0.1]])
    history = History(logits=outputs, outputs=outputs)
    assert first_steps(Problem(steps=3), history).tolist() == [1, 0, 3]


def test_each_state_tensor_is_checked_on_its_own() -> None:
    """One policy that is off in one tensor alone is found, and named with both values and the bound."""
    problem, population = Problem(x=0.7), Population.initialise(100)
    expectation = expect(problem, population)
    trained = train(problem, population, variant="batched").population
    assert check(expectation, trained).identical
    for name, tensor in trained.tensors().items():
        changed = tensor.clone()
        changed[42] = changed[42] * 1.001 + 1e-6
        identity = check(expectation, Population(**(trained.tensors() | {name: changed}), age=trained.age))
        assert not identity.identical
        assert len(identity.reasons) == 1
        assert f"{name} of 1 policies out of bounds: policy 42, after step 50, {name}: " in identity.reasons[0]
        bound = float(identity.reasons[0].split(" ± ")[1].split()[0])
        assert bound == pytest.approx(FACTOR * float(expectation.reference.reach[name][42]), rel=0.1)


def test_distances_are_told_in_ulp_and_in_shares_of_the_bound() -> None:
    """A policy that is moved by a hundred ulp of its path is that far off, and uses the bound by as much."""
    problem, population = Problem(), Population.initialise(100)
    expectation = expect(problem, population)
    right, reference = train(problem, population, variant="batched").population, expectation.reference
    weight = reference.state["weight"].clone()
    weight[42] += 100 * reference.ulp["weight"][42]
    identity = check(expectation, Population(**(right.tensors() | {"weight": weight.float()}), age=50))
    assert identity.ulp["weight"] == pytest.approx(100, abs=1)
    share = 100 * float(reference.ulp["weight"][42] / reference.reach["weight"][42]) / FACTOR
    assert identity.used["weight"] == pytest.approx(share, rel=0.01)
    assert {tensor.dtype for bounds in expectation.bounds.values() for tensor in bounds} == {torch.float32}


def test_what_is_no_population_to_compare_is_refused_with_the_reason() -> None:
    """Too few policies, other kinds of tensors, a state tensor that is missing: nothing is compared, and one line says why."""
    problem, population = Problem(), Population.initialise(100)
    whole, trained = expect(problem, population), train(problem, population, variant="batched").population
    some = expect(problem, population, policies=torch.tensor([3, 50]))
    noisy = expect(Problem(objective="reinforce", steps=2), population)
    odd = Population(**(trained.tensors() | {"weight": torch.nn.Parameter(trained.weight)}), age=50)
    for expectation, result, reason in (
        (whole, trained.slice(0, 99), "the trained population has 99 policies where 100 are right"),
        (some, trained.slice(0, 50), "the trained population has 50 policies where 51 are right"),
        (whole, odd, "the trained population holds Parameter where plain tensors are right"),
        (noisy, trained, "the trained population has no baseline"),
    ):
        identity = check(expectation, result)
        assert identity.reasons == (reason,)
        assert (identity.level, identity.policies, identity.ambiguous, identity.flips, sum(identity.outcomes)) == ("diverged", 0, 0, 0, 0)
        assert identity.max_ulp == math.inf
        assert not passes(expectation, result)
    assert check(some, trained.slice(0, 51)).identical


def test_a_slice_of_an_expectation_has_its_bits() -> None:
    """Part of an expectation is held to the same bits as the whole."""
    problem, population = Problem(arithmetic="portable"), Population.initialise(100)
    whole = certify(problem, population)
    part = whole.slice(20, 30)
    assert whole.bits is not None
    assert part.bits is not None
    assert same_bits(part.bits, whole.bits.slice(20, 30))


@pytest.mark.parametrize(("steps", "allowed"), [(50, 4), (1000, 4), (5000, 8)])
def test_more_steps_allow_more_ambiguous_policies(steps: int, allowed: int) -> None:
    """Of a thousand policies: the share of the next number of steps that is known, or of the last in proportion, and five deviations."""
    assert allowed_ambiguous(Problem(steps=steps), 1000) == allowed


def test_the_quick_check_decides_as_the_full_one() -> None:
    """`passes`, which runs after every timed round, agrees with `check` on right and wrong results."""
    problem, population = Problem(), Population.initialise(100)
    expectation = certify(problem, population)
    trained = train(problem, population, variant="batched").population
    wrong = trained.map(lambda tensor: tensor.roll(1))
    younger = Population(**trained.tensors(), age=49)
    shorter = trained.slice(0, 99)
    for result, right in ((trained, True), (wrong, False), (younger, False), (shorter, False)):
        assert passes(expectation, result) is right
        assert check(expectation, result).identical is right


def test_portable_bits_are_compared_bit_by_bit() -> None:
    """In portable arithmetic one ulp of one policy is enough to be rejected."""
    problem, population = Problem(arithmetic="portable"), Population.initialise(100)
    expectation = certify(problem, population)
    trained = train(problem, population, variant="batched").population
    assert check(expectation, trained).level == "bitwise"
    weight = trained.weight.clone()
    weight[7] = torch.nextafter(weight[7], torch.tensor(torch.inf))
    changed = Population(**(trained.tensors() | {"weight": weight}), age=50)
    identity = check(expectation, changed)
    assert passes(expectation, trained)
    assert not passes(expectation, changed)
    assert identity.level == "diverged"
    assert "weight of 1 policies has other bits: policy 7" in identity.reasons[0]


def test_a_policy_at_a_kink_is_ambiguous_and_counted() -> None:
    """A policy that begins on the target is ambiguous under `pathwise`: either branch is right, and it is counted."""
    z = torch.logit(torch.tensor([0.8], dtype=torch.float64)).float()
    population = Population.fresh(torch.cat((z, torch.zeros(999))), torch.zeros(1000))
    problem = Problem(objective="pathwise")
    expectation = expect(problem, population)
    assert bool(expectation.reference.undetermined[0])
    trained = train(problem, population, variant="batched").population
    tensors = {name: tensor.clone() for name, tensor in trained.tensors().items()}
    tensors["weight"][0] += 0.04
    identity = check(expectation, Population(**tensors, age=50))
    assert identity.identical
    assert identity.ambiguous >= 1


def test_too_many_ambiguous_policies_fail() -> None:
    """Where more policies hang on a rounding error than the steps explain, nothing is proven, and the check says so."""
    z = torch.logit(torch.tensor([0.8], dtype=torch.float64)).float()
    population = Population.fresh(z.repeat(1000), torch.zeros(1000))
    problem = Problem(objective="pathwise")
    expectation, trained = expect(problem, population), train(problem, population, variant="batched").population
    identity = check(expectation, trained)
    assert not identity.identical
    assert not passes(expectation, trained)
    assert set(identity.used.values()) == set(identity.ulp.values()) == {0.0}
    assert identity.level == "undecided"
    allowed = allowed_ambiguous(problem, 1000)
    assert identity.reasons == (
        f"undecided: 1000 of 1000 policies hang on a rounding error: at most {allowed} may; portable arithmetic decides",
    )


def test_a_history_with_holes_is_noticed() -> None:
    """Outputs that were never recorded, or another step at target, are reasons."""
    problem, population = Problem(objective="pathwise"), Population.initialise(200)
    expectation = expect(problem, population)
    run = train(problem, population, variant="batched", record=True)
    assert run.history is not None
    assert run.logits is not None
    assert history_faults(expectation, History(run.logits, run.history)) == ()
    assert "reach the target at another step" in history_faults(expectation, History(run.logits, run.history.roll(1, 0)))[0]
    holes = run.history.clone()
    holes[3, 5] = torch.nan
    assert history_faults(expectation, History(run.logits, holes)) == ("the history has outputs that were never recorded",)
    assert history_faults(expectation, History(holes, run.history)) == ("the history has logits that were never recorded",)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_rows_of_a_history_are_the_oracles(objective: Any) -> None:  # noqa: ANN401
    """Recorded rows of an honest run are within bounds; wrong outputs, wrong logits and rows of other steps are told, with the first."""
    problem, population = Problem(objective=objective, steps=20), Population.initialise(300)
    run = train(problem, population, variant="batched", record=True)
    assert run.history is not None
    assert run.logits is not None
    assert row_faults(problem, population, History(run.logits, run.history)) == ()
    dressed = run.history.clone()
    dressed[7, 4] = 0.123
    (reason,) = row_faults(problem, population, History(run.logits, dressed))
    assert reason.startswith("before update 7: 1 recorded outputs are out of bounds, the first is 0.123")
    shifted = row_faults(problem, population, History(run.logits.roll(1, 0), run.history))
    assert shifted[0].startswith("before update 0: 300 recorded logits are out of bounds")


def test_a_history_made_up_is_noticed() -> None:
    """A variant that records what keeps first steps at target, and nothing else of its run, is not identical."""

    def prepare(problem: Problem, device: torch.device, n: int) -> Train:
        honest = BATCHED.prepare(problem, device, n)

        def run(population: Population, history: History | None) -> Population:
            trained = honest(population, history)
            if history is not None:
                history.outputs.masked_fill_((history.outputs - 0.8).abs() >= 0.05, 0.123)
            return trained

        return run

    report = verify(Problem(objective="pathwise"), Population.initialise(500), variant=Variant("dressed", lambda *_: None, prepare))
    assert report.level == "diverged"
    assert all("recorded outputs are out of bounds" in reason for reason in report.reasons)


def test_where_most_policies_are_ambiguous_nothing_is_certified() -> None:
    """Half of the policies held to no bound is the most: of more the verdict is `undecided`, which is not identical."""
    assert allowed_ambiguous(Problem(objective="pathwise", steps=2000), 10_000) == 5000
    problem = Problem(objective="pathwise", x=300.0, steps=200)
    report = verify(problem, Population.initialise(20), variant="batched")
    assert report.level == "undecided"
    assert not report.identical
    (reason,) = report.reasons
    assert re.match(r"undecided: \d+ of 20 policies hang on a rounding error", reason)
    assert verify(problem.replace(arithmetic="portable"), Population.initialise(20), variant="fused").level == "bitwise"


@pytest.mark.parametrize("arithmetic", ["native", "portable"])
def test_more_policies_than_can_be_checked_are_sampled(arithmetic: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Past the limit a sample is checked, the hardest among it; honest variants pass, a cheat is named by its index in the whole."""
    monkeypatch.setattr(certification, "CHECK_LIMIT", 1000)
    problem, population = Problem(arithmetic=arithmetic), Population.initialise(5000)  # type: ignore[arg-type]
    expectation = certify(problem, population)
    assert expectation.policies is not None
    assert 800 < len(expectation.policies) <= 1000
    for variant in ("batched", "batched-compiled"):
        assert verify(problem, population, variant=variant, expectation=expectation).identical
    cheat = next(cheat for cheat in CHEATS if cheat.name == "cheat-frozen")
    report = verify(problem, population, variant=cheat, expectation=expectation)
    assert not report.identical
    named = int(report.reasons[0].split("policy ")[1].split(",")[0])
    assert named in expectation.policies


HUGE = 40_000


@pytest.mark.parametrize(("arithmetic", "own_lr"), [("native", False), ("portable", True)])
def test_of_very_many_policies_a_part_is_recorded(arithmetic: str, own_lr: bool, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: FBT001
    """Above the limit no history of all policies is asked for: a part is, of a run prepared for it, and a wrong step there is found."""
    monkeypatch.setattr(certification, "CHECK_LIMIT", 1000)
    prepared: list[tuple[int, bool]] = []

    def watched(take_step: Train, n: int) -> Train:
        def train(population: Population, history: History | None) -> Population:
            prepared.append((n, history is not None))
            return take_step(population, history)

        return train

    watching = Variant("watching", BATCHED.unsupported, lambda problem, device, n: watched(BATCHED.prepare(problem, device, n), n))
    lr = torch.linspace(0.05, 0.1, HUGE) if own_lr else 0.1
    problem, population = Problem(arithmetic=arithmetic, lr=lr), Population.initialise(HUGE)  # type: ignore[arg-type]
    assert verify(problem, population, variant=watching).identical
    assert {n for n, recorded in prepared if recorded} == {1000}

    def forgetful(problem: Problem, device: torch.device, n: int) -> Train:
        return BATCHED.prepare(problem if n == HUGE else problem.replace(k=5.1), device, n)

    identity = verify(problem, population, variant=Variant("forgetful", BATCHED.unsupported, forgetful))
    assert any(reason.startswith("recorded: weight of ") for reason in identity.reasons)


def test_a_history_that_memory_does_not_hold_is_no_divergence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where little memory is free fewer policies are recorded, some of them always, and the examination stands."""
    monkeypatch.setattr(examination, "free_memory", lambda _device: 4 * History.bytes(50, 3000))
    assert examination.recordable(50, 2000, CPU) == 2000
    assert examination.recordable(50, 5000, CPU) == 3000
    assert examination.recordable(10**9, 5000, CPU) == examination.RECORDED_LEAST
    assert verify(Problem(), Population.initialise(5000), variant="batched").identical
