"""The targetrl command."""

import subprocess
import sys

import pytest

from targetrl_core import __version__
from targetrl_core.cli import main
from targetrl_core.listing.defaults import OBJECTIVES


def test_help_waits_for_nothing() -> None:
    """--help answers without importing torch."""
    code = (
        "import sys, targetrl_core.cli as cli\n"
        "try: cli.main(['--help'])\n"
        "except SystemExit as ended: sys.exit(ended.code or 10 * ('torch' in sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith("usage: targetrl")


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """--version prints the package's version."""
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"targetrl {__version__}\n"


def test_train_a_population(capsys: pytest.CaptureFixture[str]) -> None:
    """Of more than one policy, train prints the outcomes, and reads counts such as 1e3."""
    assert main(["train", "--population", "1e3", "--variant", "batched", "--objective", "pathwise"]) == 0
    out = capsys.readouterr().out
    assert "1,000 policies, pathwise, 50 steps, native, batched on cpu" in out
    assert "at target" in out


def test_train_takes_constants(capsys: pytest.CaptureFixture[str]) -> None:
    """Constants given on the command line are those of the run."""
    assert main(["train", "--objective", "pathwise", "--target", "0.3", "--steps", "100", "--lr", "0.05"]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("Step 99: output=0.")
    assert abs(float(last.split("output=")[1].split(",")[0]) - 0.3) < 0.05


def test_devices_says_what_can_run_and_why_not(capsys: pytest.CaptureFixture[str]) -> None:
    """devices lists every device and variant, with a reason where it is not available."""
    assert main(["devices"]) == 0
    out = capsys.readouterr().out
    for name in ("cpu", "cuda", "mps", "eager", "batched-compiled"):
        assert name in out
    assert "not available: CUDA graphs do not exist on cpu" in out


def test_verify_prints_a_row_for_each(capsys: pytest.CaptureFixture[str]) -> None:
    """verify prints a row per variant × objective × arithmetic × device, those that cannot run with their reason."""
    assert main(["verify", "--population", "50", "--device", "cpu", "--variant", "batched", "--variant", "batched-graphed"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + 2 * len(OBJECTIVES) * 2
    assert sum("bounded" in line for line in lines) == len(OBJECTIVES)
    assert sum("bitwise" in line for line in lines) == len(OBJECTIVES)
    assert sum("not run: CUDA graphs do not exist on cpu" in line for line in lines) == 2 * len(OBJECTIVES)


def test_verify_fails_where_one_diverges(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """verify exits 1 and names variant, policy, step, tensor, both values and the bound."""
    from targetrl_core import variants
    from tests.cheats import CHEATS

    monkeypatch.setattr(variants, "VARIANTS", CHEATS[:1])
    assert main(["verify", "--population", "50", "--objective", "detached", "--variant", CHEATS[0].name, "--arithmetic", "native"]) == 1
    captured = capsys.readouterr()
    assert "diverged" in captured.out
    assert "targetrl: cheat-skipped-step on cpu, detached, native: weight of 50 policies out of bounds: policy " in captured.err
    assert ", after step 50, weight: " in captured.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "--lr", "-1"], "targetrl: lr is -1.0; it must be a positive number"),
        (["train", "--target", "nan"], "targetrl: target is nan; it must be a number between 0 and 1, both excluded"),
        (["train", "--objective", "best"], "targetrl: objective is 'best'; it must be one of detached, pathwise"),
        (["train", "--variant", "fast"], "targetrl: variant is 'fast'; it must be one of eager, compiled"),
        (["train", "--device", "tpu"], "targetrl: device is 'tpu'; it must be one of cpu"),
        (["train", "--seed", "18446744073709551616"], "targetrl: seed is 18446744073709551616; "),
        (["train", "--population", "1e20"], "targetrl: --population is 100000000000000000000; it must be from 1 to 18446744073709551616, "),
        (["train", "--population", "9", "--seed", str(2**64 - 5)], "targetrl: --population is 9; it must be from 1 to 5, "),
        (["verify", "--population", "1e30"], "targetrl: --population is 1000000000000000019884624838656; it must be from 1 to "),
        (["train", "--samples", "5"], "targetrl: --samples has an effect under --objective reinforce alone, and --objective is detached"),
        (["train", "--sigma", "0.1", "--objective", "pathwise"], "targetrl: --sigma has an effect under --objective reinforce alone"),
        (["train", "--baseline", "none"], "targetrl: --baseline has an effect under --objective reinforce alone"),
        (["train", "--baseline-decay=0.5"], "targetrl: --baseline-decay has an effect under --objective reinforce alone"),
        (["train", "--noise-seed", "7"], "targetrl: --noise-seed has an effect under --objective reinforce alone"),
        (["verify", "--objective", "detached", "--sigma", "1"], "targetrl: --sigma has an effect under --objective reinforce alone"),
        (["verify", "--arithmetic", "exact"], "targetrl: arithmetic is 'exact'; it must be one of native, portable"),
    ],
)
def test_a_users_mistake_is_one_line(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A value that cannot be used ends with exit code 2 and one line that names it and the way out."""
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith(message)
    assert captured.err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments", [[], ["fly"], ["train", "--population", "0"], ["train", "--steps", "many"], ["train", "--lr", "x"], ["--no"]]
)
def test_wrong_usage_is_one_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """What the command cannot parse ends with exit code 2 and one line that points to --help."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("targetrl")
    assert "--help" in captured.err
    assert captured.err.count("\n") == 1
