"""`eager` and the command line against the verbatim listing."""

import pytest
import torch

from targetrl_core import Population, Problem, train
from targetrl_core.cli import main
from tests.reference_listing import run as run_listing


def listing_output(seed: int) -> str:
    """What the listing prints under a seed."""
    lines: list[str] = []
    torch.manual_seed(seed)
    run_listing(print=lines.append)  # type: ignore[no-untyped-call]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("first", range(0, 100, 20))
def test_command_prints_the_listing(first: int, capsys: pytest.CaptureFixture[str]) -> None:
    """`targetrl train --seed S` prints byte for byte what the listing prints under torch.manual_seed(S)."""
    for seed in range(first, first + 20):
        assert main(["train", "--seed", str(seed)]) == 0
        assert capsys.readouterr().out == listing_output(seed)


@pytest.mark.parametrize("seed", [0, 1, 7, 12345])
def test_eager_is_bitwise_the_listing(seed: int) -> None:
    """After 50 steps `eager` holds the bits that the listing holds, in weight, bias and all four moments."""
    torch.manual_seed(seed)
    model, optimizer = run_listing(print=lambda _line: None)  # type: ignore[no-untyped-call]
    trained = train(Problem(), Population.initialise(1, seed=seed), variant="eager").population
    for name, parameter in (("weight", model.fc.weight), ("bias", model.fc.bias)):
        state = optimizer.state[parameter]
        assert getattr(trained, name).item() == parameter.item()
        assert getattr(trained, f"m_{name}").item() == state["exp_avg"].item()
        assert getattr(trained, f"v_{name}").item() == state["exp_avg_sq"].item()


def test_training_leaves_the_random_numbers_alone() -> None:
    """Training draws nothing from PyTorch's global generator."""
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    train(Problem(steps=2), Population.initialise(2), variant="eager")
    assert torch.equal(torch.rand(3), expected)


def test_long_runs_stay_finite() -> None:
    """Where the listing turns NaN (``tests/test_docs.py``), `eager` and the closed form go on."""
    problem = Problem(steps=700)
    starts = Population.initialise(100)
    seed = int((starts.weight + starts.bias).argmin())
    for variant in ("eager", "batched"):
        run = train(problem, Population.initialise(1, seed=seed), variant=variant, record=True)
        assert run.population.weight.isfinite().all()
        assert run.outcomes.collapsed == 1
        assert run.history is not None
        assert run.history.isfinite().all()
