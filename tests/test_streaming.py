"""stream: populations of any size, and what is kept of them."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from targetrl_core import Population, Problem, Summary, UsageError, stream, train
from targetrl_core.cli import main
from targetrl_core.listing.defaults import OBJECTIVES
from targetrl_core.listing.outcomes import first_steps
from targetrl_core.names import OPTIMIZERS
from targetrl_core.streaming import BINS, Plan


def whole(problem: Problem, n: int, **options: Any) -> Summary:  # noqa: ANN401
    """The last summary."""
    *_, last = stream(problem, n, **options)
    return last


@pytest.mark.parametrize("variant", ["fused", "batched"])
@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_summary_says_what_training_says(objective: Any, optimizer: Any, variant: str) -> None:  # noqa: ANN401
    """Outcomes, first steps and outputs of a streamed population are those of the same population trained at once."""
    problem = Problem(objective=objective, optimizer=optimizer, arithmetic="portable", steps=40)
    summary = whole(problem, 5003, seed=7, variant=variant, chunk=1000)
    run = train(problem, Population.initialise(5003, seed=7), variant="batched", record=True)
    assert summary.outcomes == run.outcomes
    history = type("History", (), {"outputs": run.history})
    first = first_steps(problem, history)  # type: ignore[arg-type]
    assert torch.equal(summary.first_steps, torch.bincount(first, minlength=41))
    assert torch.equal(summary.histogram, torch.bincount((run.outputs * BINS).int(), minlength=BINS))
    reached = first[first < 40].sort().values
    if len(reached) * 2 > 5003:
        assert summary.first_step_quantile(0.5) == int(reached[5003 // 2])


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_checksum_depends_on_the_policies_alone(objective: Any) -> None:  # noqa: ANN401
    """Chunks, threads and, in portable arithmetic, variants do not show in the checksum; the seed, the order and one bit do."""
    problem = Problem(objective=objective, arithmetic="portable")
    checksums = {
        whole(problem, 20_011, variant=variant, chunk=chunk).checksum for variant in ("fused", "batched") for chunk in (777, 20_011)
    }
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    checksums.add(whole(problem, 20_011, variant="fused").checksum)
    torch.set_num_threads(before)
    assert len(checksums) == 1
    others = {
        whole(problem, 20_011, seed=1).checksum,
        whole(problem, 20_010).checksum,
        whole(problem.replace(lr=0.1000001), 20_011).checksum,
    }
    assert len(others | checksums) == 4


def test_constants_per_policy_are_streamed() -> None:
    """Each chunk trains by its own policies' constants."""
    n = 1500
    problem = Problem(objective="pathwise", target=torch.linspace(0.3, 0.9, n), arithmetic="portable")
    first, second = whole(problem, n, variant="fused", chunk=400), whole(problem, n, variant="batched", chunk=n)
    assert (first.outcomes, first.checksum) == (second.outcomes, second.checksum)


def test_every_summary_is_of_all_so_far() -> None:
    """Each chunk adds to what came before, so that whoever stops early has a whole summary of a part."""
    summaries = list(stream(Problem(), 1000, chunk=300))
    assert [summary.policies for summary in summaries] == [300, 600, 900, 1000]
    for summary in summaries:
        assert sum(summary.outcomes) == summary.policies == int(summary.histogram.sum()) == int(summary.first_steps.sum())
    assert summaries[1].checksum == whole(Problem(), 600).checksum
    spans = whole(Problem(), 1000, span=range(600)).plus(whole(Problem(), 1000, span=range(600, 1000)))
    assert (spans.checksum, spans.outcomes) == (summaries[-1].checksum, summaries[-1].outcomes)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n": 0}, "n is 0; it must be an integer of at least 1"),
        ({"n": 5, "chunk": 0}, "chunk is 0; it must be at least 1"),
        ({"n": 5, "seed": 2**64 - 2}, "seed"),
        ({"n": 5, "span": range(3, 6)}, "span is range.3, 6.; it must be a range of policies within 0 … 4"),
        ({"n": 5, "variant": "none"}, "variant is 'none'"),
        ({"n": 10**6, "variant": "eager"}, "variant eager cannot run here"),
    ],
)
def test_what_cannot_be_streamed_is_refused_at_once(options: dict[str, Any], message: str) -> None:
    """Wrong arguments raise where stream is called, in one line, before anything is trained."""
    n = options.pop("n")
    with pytest.raises(UsageError, match=message):
        stream(Problem(), n, **options)


def test_memory_stays_the_same() -> None:
    """Ten times the policies take no more memory."""
    code = """
import resource, sys
from targetrl_core import Problem, stream
for n in (2_000_000, 20_000_000):
    for summary in stream(Problem(), n, variant="fused"): pass
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
    shown = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    kib = 1 if sys.platform == "linux" else 1024
    assert int(shown[1]) - int(shown[0]) < 20_000 * kib


def test_train_streams_and_says_what_it_found(capsys: pytest.CaptureFixture[str]) -> None:
    """`targetrl train --population` prints outcomes, outputs, first steps and the checksum, the same by any portable variant."""
    shown = []
    for variant in ("fused", "batched"):
        options = ["--objective", "pathwise", "--arithmetic", "portable", "--variant", variant]
        assert main(["train", "--population", "3e3", *options]) == 0
        shown.append(capsys.readouterr().out.splitlines())
    assert shown[0][1:] == shown[1][1:]
    assert shown[0][0] == "3,000 policies, pathwise, 50 steps, portable, fused on cpu"
    assert any(line.startswith("first within 0.02 of the target: 5% by step") for line in shown[0])
    assert shown[0][-1].startswith("checksum of the trained weights and biases: ")


def test_an_interrupted_run_says_how_far_it_came(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """After Ctrl-C, `targetrl train` prints how many policies it had trained and what became of them, and exits with 130."""
    train = Plan.train

    def interrupted(planned: Plan, span: range) -> Iterator[Summary]:
        summaries = train(planned._replace(chunk=400), span)
        yield next(summaries)
        yield next(summaries)
        raise KeyboardInterrupt

    monkeypatch.setattr(Plan, "train", interrupted)
    assert main(["train", "--population", "1e12"]) == 130
    shown = capsys.readouterr()
    assert shown.err.strip() == "targetrl: interrupted after 800 of 1,000,000,000,000 policies"
    assert shown.out.startswith("800 policies, detached")


@pytest.mark.parametrize("variant", ["fused", "batched"])
def test_outputs_that_are_no_numbers_are_counted(variant: str) -> None:
    """Policies that end in NaN are elsewhere, in no bin of the histogram, and never at target: their counts add up all the same."""
    problem = Problem(k=3e38, steps=4)
    summary = whole(problem, 1000, variant=variant, chunk=300)
    run = train(problem, Population.initialise(1000), variant="batched", record=True)
    lost = int(run.outputs.isnan().sum())
    assert lost > 0
    assert summary.outcomes == run.outcomes
    assert int(summary.histogram.sum()) == 1000 - lost
    assert int(summary.first_steps.sum()) == 1000
    history = type("History", (), {"outputs": run.history})
    assert torch.equal(summary.first_steps, torch.bincount(first_steps(problem, history), minlength=5))  # type: ignore[arg-type]
