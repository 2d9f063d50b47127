"""Problem: every constant validated, one number or one value per policy."""

import gc
import math
import weakref

import pytest
import torch

from targetrl_core import Population, Problem, UsageError, train
from targetrl_core.optimizers import _pages, correction_table
from targetrl_core.problem import CONSTANTS


@pytest.mark.parametrize("name", CONSTANTS)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, "0.5", None, True, [], [[0.5]], [0.5, math.nan], 1e-50, 1e39])
def test_no_constant_takes_what_is_no_number(name: str, value: object) -> None:
    """NaN, infinities, text, wrong shapes and what float32 cannot hold are refused by name, in one line."""
    with pytest.raises(UsageError, match=f"^{name}") as caught:
        Problem(**{name: value})  # type: ignore[arg-type]
    assert "must be" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("target", 0.0, "between 0 and 1"),
        ("target", 1.0, "between 0 and 1"),
        ("target", 1 - 1e-12, "also as a normal float32"),
        ("target", -0.3, "between 0 and 1"),
        ("k", 0.0, "a positive number"),
        ("lr", 0.0, "a positive number"),
        ("lr", -0.1, "a positive number"),
        ("beta1", 1.0, r"in \[0, 1\)"),
        ("beta2", -0.1, r"in \[0, 1\)"),
        ("eps", 0.0, "a positive number"),
        ("steps", 0, "at least 1"),
        ("steps", 2.5, "an integer"),
        ("objective", "reinforced", "detached, pathwise"),
        ("optimizer", "adamw", "adam, sgd"),
        ("arithmetic", "exact", "native, portable"),
    ],
)
def test_values_out_of_range_are_named(name: str, value: object, allowed: str) -> None:
    """A value out of its range is refused with the name, the value and the range."""
    with pytest.raises(UsageError, match=allowed) as caught:
        Problem(**{name: value})  # type: ignore[arg-type]
    assert str(caught.value).startswith(name)
    assert repr(value) in str(caught.value)


def test_the_policy_with_a_bad_value_is_named() -> None:
    """Of values per policy, the first bad one is named by its index."""
    with pytest.raises(UsageError, match=r"^lr\[2\] is -1.0; it must be a positive number"):
        Problem(lr=[0.1, 0.2, -1.0, -2.0])


def test_lengths_have_to_agree() -> None:
    """Constants of two lengths, or of another length than the population, are refused with both."""
    with pytest.raises(UsageError, match=r"one length, found target \[2\], lr \[3\]"):
        Problem(target=[0.5, 0.6], lr=[0.1, 0.2, 0.3])
    with pytest.raises(UsageError, match="lr has 3 values; it must have one, or one per policy: 2"):
        train(Problem(lr=[0.1, 0.2, 0.3]), Population.initialise(2), variant="batched")


def test_names_are_keywords_only() -> None:
    """Positional constants are refused: their order says nothing."""
    with pytest.raises(TypeError):
        Problem("detached")  # type: ignore[call-arg]


def test_equal_constants_make_equal_problems() -> None:
    """Problems compare and hash by value, so that what was prepared for one serves the other."""
    assert Problem(lr=0.2) == Problem(lr=0.2)
    assert hash(Problem(lr=0.2)) == hash(Problem(lr=0.2))
    assert Problem(lr=0.2) != Problem(lr=0.3)
    assert Problem(lr=[0.2, 0.3]) != Problem(lr=[0.2, 0.3])


def test_constants_are_rounded_once() -> None:
    """Each constant is derived in float64 and rounded once: 1 − beta2 is not 1 − float32(beta2)."""
    c = Problem(beta2=0.999).constants(torch.device("cpu"))
    assert c.rate2.item() == torch.tensor(1.0 - 0.999, dtype=torch.float64).float().item()
    assert c.rate2.item() != (1.0 - torch.tensor(0.999)).item()


def test_a_problem_keeps_its_own_values() -> None:
    """Changing the tensor that a problem was made from does not change the problem."""
    lr = torch.tensor([0.1, 0.2])
    problem = Problem(lr=lr)
    lr.fill_(9.0)
    assert problem.per_policy["lr"].tolist() == pytest.approx([0.1, 0.2])


def test_nothing_keeps_the_constants_of_policies_alive() -> None:
    """Once a population with constants of its own is trained, nothing holds on to its problem: a stream makes one for each chunk."""
    for variant in ("batched", "fused"):
        problem = Problem(lr=[0.1, 0.2], steps=3)
        train(problem, Population.initialise(2), variant=variant)
        gone = weakref.ref(problem)
        for number in range(20):  # of those prepared last some are kept
            train(Problem(steps=number + 1), Population.initialise(2), variant=variant)
        del problem
        gc.collect()
        assert gone() is None


def test_corrections_are_made_by_the_page() -> None:
    """Of a loop that trains step by step each row is that of a long run, at any age, and a page of ages is computed once."""
    problem, device = Problem(steps=3000), torch.device("cpu")
    whole = correction_table(problem, 0, device)
    assert whole is not None
    _pages.cache_clear()
    for age in (0, 1, 1022, 1023, 1024, 2999):
        row = correction_table(problem.replace(steps=1), age, device)
        assert row is not None
        assert torch.equal(row, whole[age : age + 1])
    assert _pages.cache_info().misses == 3
