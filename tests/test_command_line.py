"""The command line as people expect it: JSON, quiet, colour, progress, completion, versions, learning curves."""

import errno
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from bench import __main__ as bench
from targetrl_core import Population, Problem, UsageError, __version__, cli, train
from targetrl_core.cli import main
from targetrl_core.commands.output import PLAIN, RED, red
from targetrl_core.listing.defaults import OBJECTIVES
from targetrl_core.pictures.curves import check_curves, learning_curves
from targetrl_core.progress import progress, watched
from targetrl_core.report import listing_lines
from tests.some_evidence import EVIDENCE

Captured = pytest.CaptureFixture[str]


class Terminal(io.StringIO):
    """A stream that someone watches."""

    def isatty(self) -> bool:
        """It says so."""
        return True


def watch(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Standard error, as a terminal from here on."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    return terminal


def test_one_policy_as_json(capsys: Captured) -> None:
    """Every step of the listing stands in it, with more digits than its lines show."""
    assert main(["train", "--seed", "3", "--steps", "7", "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    run = train(Problem(steps=7), Population.initialise(1, seed=3), variant="eager", record=True)
    assert [
        f"Step {s['step']}: output={s['output']:.3f}, reward={s['reward']:.3f}, loss={s['loss']:.3f}" for s in content["steps"]
    ] == list(listing_lines(run))
    assert content["output"] == float(run.outputs[0])
    assert content["problem"]["objective"] == "detached"
    assert (content["seed"], content["torch"], content["device"]) == (3, torch.__version__, "cpu")


def test_a_population_as_json(capsys: Captured) -> None:
    """It has what the tables have: outcomes, outputs, first steps and the checksum."""
    arguments = ["train", "--population", "3000", "--objective", "pathwise", "--variant", "batched", "--arithmetic", "portable"]
    assert main(arguments) == 0
    lines = capsys.readouterr().out
    assert main([*arguments, "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["policies"] == sum(content["outcomes"].values()) == sum(content["histogram"]) == 3000
    assert lines.endswith(f"checksum of the trained weights and biases: {content['checksum']}\n")
    assert f"50% by step {content['first_steps']['0.5']}," in lines
    assert f"{content['outcomes']['at_target']:,}" in lines
    assert (content["seed"], content["torch"], content["device"]) == (0, torch.__version__, "cpu")


def test_a_number_that_is_none_is_null(capsys: Captured) -> None:
    """JSON knows no NaN: a program reads null."""
    assert main(["train", "--optimizer", "sgd", "--lr", "1e38", "--k", "1e38", "--steps", "9", "--json", "--variant", "batched"]) == 0
    content = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert None in [step["loss"] for step in content["steps"]]


def test_devices_as_json(capsys: Captured) -> None:
    """Every device and variant, with the reason where it cannot be used."""
    assert main(["devices", "--json"]) == 0
    places = json.loads(capsys.readouterr().out)["places"]
    reasons = {(place["device"], place["variant"]): place["reason"] for place in places}
    assert reasons["cpu", None] is None
    assert reasons["cpu", "batched"] is None
    assert reasons["cpu", "batched-graphed"] == "CUDA graphs do not exist on cpu"


def test_verify_as_json(capsys: Captured) -> None:
    """A row for each variant and problem, those that cannot run too."""
    arguments = ["verify", "--population", "5", "--device", "cpu", "--variant", "batched", "--variant", "batched-graphed", "--json"]
    assert main([*arguments, "--arithmetic", "portable", "--objective", "detached", "--objective", "pathwise"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [(row["variant"], row["objective"], row["verdict"]) for row in rows] == [
        (variant, objective, verdict)
        for objective in ("detached", "pathwise")
        for variant, verdict in (("batched", "bitwise"), ("batched-graphed", "not run"))
    ]
    assert rows[0]["reasons"] == []
    assert rows[1]["reasons"] == ["CUDA graphs do not exist on cpu"]


@pytest.mark.parametrize("form", [[], ["--json"]], ids=["lines", "json"])
def test_nothing_verified_is_no_success(form: list[str], capsys: Captured) -> None:
    """Where no variant that was asked for can run, verify says in one line that nothing was verified, and exits 1."""
    assert main(["verify", "--population", "5", "--device", "cpu", "--variant", "batched-graphed", *form]) == 1
    captured = capsys.readouterr()
    assert captured.err == "targetrl: nothing was verified, as no variant that was asked for can run here; its row says why\n"
    assert "CUDA graphs do not exist on cpu" in captured.out


def test_what_diverged_is_red_on_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    """Only there; in JSON its reasons stand in the row; the exit code is 1 either way."""
    from targetrl_core import variants
    from tests.cheats import CHEATS

    monkeypatch.setattr(variants, "VARIANTS", CHEATS[:1])
    arguments = ["verify", "--population", "10", "--objective", "detached", "--variant", CHEATS[0].name, "--arithmetic", "native"]
    assert main([*arguments, "--json"]) == 1
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert row["verdict"] == "diverged"
    assert "out of bounds" in row["reasons"][0]
    assert main(arguments) == 1
    assert RED not in capsys.readouterr().out
    shown = Terminal()
    monkeypatch.setattr(sys, "stdout", shown)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert main(arguments) == 1
    header, line = shown.getvalue().splitlines()
    assert RED not in header
    assert line.startswith(RED)
    assert line.endswith(PLAIN)


@pytest.mark.parametrize(
    ("stream", "environment", "coloured"),
    [
        (Terminal, {"TERM": "xterm"}, True),
        (Terminal, {"TERM": "xterm", "NO_COLOR": ""}, True),
        (Terminal, {"TERM": "xterm", "NO_COLOR": "1"}, False),
        (Terminal, {"TERM": "dumb"}, False),
        (io.StringIO, {"TERM": "xterm"}, False),
    ],
)
def test_colours(
    stream: Callable[[], io.StringIO],
    environment: dict[str, str],
    coloured: bool,  # noqa: FBT001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They are for terminals that have them, and for those who do not decline them."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert (red("no", stream()) != "no") == coloured


def test_progress_is_for_those_who_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bar is drawn on a terminal, not where it is asked for quiet, and nowhere else; it leaves nothing that counts behind."""
    terminal = watch(monkeypatch)
    assert list(watched([1, 2, 3], "things", what="counting")) == [1, 2, 3]
    assert "counting" in terminal.getvalue()
    drawn = terminal.getvalue()
    assert list(watched([1, 2], "things", quiet=True)) == [1, 2]
    assert terminal.getvalue() == drawn
    file = io.StringIO()
    monkeypatch.setattr(sys, "stderr", file)
    with progress(3, "things") as bar:
        bar.update()
    assert file.getvalue() == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "--population", "200", "--variant", "batched"],
        ["train", "--steps", "30"],
        ["sweep", "--x", "lr=0.1,1", "--variant", "batched"],
        ["verify", "--population", "20", "--variant", "batched", "--objective", "detached", "--device", "cpu", "--arithmetic", "native"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_quiet(arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    """What takes long shows a bar on a terminal, and none with --quiet; the result is the same."""
    terminal = watch(monkeypatch)
    assert main(arguments) == 0
    shown = capsys.readouterr().out
    drawn = terminal.getvalue()
    assert "| 0/" in drawn
    assert main([*arguments, "--quiet"]) == 0
    assert terminal.getvalue() == drawn
    assert capsys.readouterr().out == shown


@pytest.mark.parametrize("variant", ["eager", "batched", "batched-vmap"])
def test_a_recorded_run_tells_its_steps(variant: str) -> None:
    """While a run is recorded step by step, it tells how many policy-steps have been, all of them in the end."""
    steps: list[int] = []
    train(Problem(steps=7), Population.initialise(3), variant=variant, record=True, tell=steps.append)
    assert sum(steps) == 21
    assert len(steps) >= 7


def test_curves_show_their_progress(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A population that is trained once more for its learning curves has a bar of its own."""
    terminal = watch(monkeypatch)
    assert main(["train", "--population", "30", "--steps", "9", "--variant", "batched", "--plot", str(tmp_path / "a.png")]) == 0
    assert "drawing curves" in terminal.getvalue()
    assert "/270" in terminal.getvalue()


@pytest.mark.parametrize("run", [main, bench.main])
def test_version(run: Callable[[list[str]], int], capsys: Captured) -> None:
    """--version prints the package's version."""
    with pytest.raises(SystemExit) as ended:
        run(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"targetrl {__version__}\n"


@pytest.mark.parametrize(
    ("run", "arguments", "message"),
    [
        (main, ["train", "--populaton", "5"], "targetrl train: unrecognized arguments: --populaton 5; did you mean --population?; see "),
        (main, ["train", "--qqq=5"], "targetrl train: unrecognized arguments: --qqq=5; see "),
        (
            bench.main,
            ["compare", "a", "--mixed-comits"],
            "python -m bench compare: unrecognized arguments: --mixed-comits; did you mean --mixed-",
        ),
    ],
)
def test_an_option_that_is_not_known(run: Callable[[list[str]], int], arguments: list[str], message: str, capsys: Captured) -> None:
    """It is named with the nearest one there is, and the help pointed to is that of the command which was given."""
    with pytest.raises(SystemExit) as ended:
        run(arguments)
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith(message)
    assert error.endswith(f"; see {error.partition(':')[0]} --help\n")
    assert error.count("\n") == 1


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
@pytest.mark.parametrize(("program", "option"), [(cli, "--population"), (bench, "--policies")], ids=["core", "bench"])
def test_completion(program: Any, option: str, shell: str, capsys: Captured) -> None:  # noqa: ANN401 — a module
    """The script of each shell knows every command; where the shell can, also its options, and what may follow --objective."""
    with pytest.raises(SystemExit) as ended:
        program.main(["--print-completion", shell])
    assert ended.value.code == 0
    script = capsys.readouterr().out
    commands = [command.__name__.rpartition(".")[2] for command in program.COMMANDS]
    for word in commands if shell == "tcsh" else [*commands, *OBJECTIVES, option]:
        assert word in script


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not here")
def test_bash_completes(capsys: Captured) -> None:
    """Sourced by bash, the scripts complete commands, options and values, those of bench also after python -m bench."""
    script = ""
    for run in (main, bench.main):
        with pytest.raises(SystemExit):
            run(["--print-completion", "bash"])
        script += capsys.readouterr().out + "\n"

    def completed(*words: str) -> list[str]:
        function = f"$(complete -p {words[0]} | sed 's/.* -F \\([^ ]*\\) .*/\\1/')"
        line = f"COMP_WORDS=({' '.join(map(repr, words))}); COMP_CWORD={len(words) - 1}; {function}; echo; echo ${{COMPREPLY[@]}}"
        ran = subprocess.run(["bash", "-c", f"{script}\n{line}"], capture_output=True, text=True, check=True)  # noqa: S607 — whichever it is
        return ran.stdout.splitlines()[-1].split()

    assert completed("targetrl", "sw") == ["sweep"]
    assert completed("targetrl", "train", "--popul") == ["--population"]
    assert completed("targetrl", "train", "--objective", "") == list(OBJECTIVES)
    assert completed("bench", "recommend", "--objective", "") == list(OBJECTIVES)
    assert completed("python", "-m", "bench", "rec") == ["recommend"]
    assert completed("python3", "-m", "bench", "recommend", "--pol") == ["--policies"]
    assert completed("python", "-m", "pytest", "rec") == completed("python", "rec") == []


def test_a_shell_that_is_not_known(capsys: Captured) -> None:
    """It is refused in one line with those that are."""
    with pytest.raises(SystemExit) as ended:
        main(["--print-completion", "fish"])
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert "bash" in error
    assert error.count("\n") == 1


def test_missing_as_json(tmp_path: Path, capsys: Captured) -> None:
    """What is not there is listed; where nothing is, the exit code is 1."""
    assert bench.main(["missing", "--results", str(tmp_path), "--json", "a-cpu", "b-cpu"]) == 1
    assert json.loads(capsys.readouterr().out) == {"expected": ["a-cpu", "b-cpu"], "missing": ["a-cpu", "b-cpu"]}


ROOT = Path(__file__).parents[1]
CORE, BENCH = ("-m", "targetrl_core"), ("-m", "bench")


@pytest.mark.parametrize(
    ("encoding", "arguments", "text"),
    [
        ("cp1252", [*CORE, "train", "--population", "100", "-q", "--variant", "batched"], "checksum of the trained weights"),
        ("ascii", [*BENCH, "recommend", "--policies", "1e4", "--results", str(EVIDENCE)], "? fastest"),
        ("ascii", [*CORE, "sweep", "--help"], "NAME=VALUE,VALUE,?"),
    ],
    ids=["train", "recommend", "help"],
)
def test_what_an_encoding_lacks_is_replaced(encoding: str, arguments: list[str], text: str) -> None:
    """Output in a narrow encoding has question marks for what it cannot hold, and is whole."""
    environment = os.environ | {"PYTHONIOENCODING": encoding}
    ran = subprocess.run([sys.executable, *arguments], capture_output=True, check=False, cwd=ROOT, env=environment)
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert text in ran.stdout.decode(encoding)


PRINTED = [[*CORE, "--print-completion", "bash"], [*CORE, "--help"], [*BENCH, "schema"]]
NOBODY_READS = [([*CORE, "train"], ""), *((arguments, buffered) for arguments in PRINTED for buffered in ("", "1"))]


@pytest.mark.parametrize(("arguments", "buffered"), NOBODY_READS, ids=str)
def test_a_reader_that_has_gone(arguments: list[str], buffered: str) -> None:
    """A closed pipe ends a command quietly, as fine, whether it notices while it prints or as it ends."""
    reading, writing = os.pipe()
    os.close(reading)
    environment = os.environ | {"PYTHONUNBUFFERED": buffered}
    command = [sys.executable, *arguments]
    ran = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, check=False, cwd=ROOT, env=environment)
    os.close(writing)
    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize(
    ("arguments", "program", "buffered"),
    [([*CORE, "train"], "targetrl", ""), ([*BENCH, "schema"], "bench", ""), ([*BENCH, "schema"], "bench", "1")],
    ids=["core", "bench", "unbuffered"],
)
def test_a_full_disk_is_one_line(arguments: list[str], program: str, buffered: str) -> None:
    """Where what is printed cannot be written, one line says so, and the exit code is 2."""
    environment = os.environ | {"PYTHONUNBUFFERED": buffered}
    command = [sys.executable, *arguments]
    with Path("/dev/full").open("w") as full:
        ran = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, cwd=ROOT, env=environment)
    assert (ran.returncode, ran.stderr) == (2, f"{program}: output could not be written: {os.strerror(errno.ENOSPC)}\n")


PNG = b"\x89PNG\r\n\x1a\n"


@pytest.mark.parametrize("options", [["--objective", "reinforce"], ["--population", "300"], ["--population", "30", "--json"]], ids=" ".join)
def test_learning_curves(options: list[str], tmp_path: Path, capsys: Captured) -> None:
    """--plot draws them, of one policy or of many, twice the same bytes; the result is printed all the same."""
    path = tmp_path / "new" / "curves.png"
    arguments = ["train", "--variant", "batched", "--steps", "20", *options]
    assert main(arguments) == 0
    alone = capsys.readouterr().out
    assert main([*arguments, "--plot", str(path)]) == 0
    assert capsys.readouterr().out == alone + ("" if "--json" in options else f"wrote {path}\n")
    drawn = path.read_bytes()
    assert drawn.startswith(PNG)
    assert main([*arguments, "--plot", str(path)]) == 0
    assert path.read_bytes() == drawn


def test_curves_of_too_many(tmp_path: Path, capsys: Captured) -> None:
    """What would take too much memory is refused before anything is trained, with the limit; so is what is no picture."""
    assert main(["train", "--population", "1e6", "--plot", str(tmp_path / "a.png")]) == 2
    assert main(["train", "--plot", str(tmp_path / "a.svg")]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "targetrl: --plot draws at most 16,777,216 policy-steps; 1,000,000 policies of 50 steps are 50,000,000",
        f"targetrl: --plot is '{tmp_path}/a.svg'; its name must end in .png",
    ]
    check_curves(1 << 20, 16)
    with pytest.raises(UsageError, match="at most"):
        check_curves(1 << 20, 17)
    with pytest.raises(TypeError, match="only a recorded run has curves"):
        learning_curves(train(Problem(), Population.initialise(2), variant="batched"))


def test_help_stays_free_of_what_is_slow() -> None:
    """Reading the arguments of any command imports neither torch nor numpy, matplotlib, tqdm or shtab."""
    code = (
        "import sys, targetrl_core.cli as cli; cli._parser().parse_args(['sweep', '--x', 'lr=1,2']); "
        "sys.exit(' '.join({'torch', 'numpy', 'matplotlib', 'tqdm', 'shtab'} & set(sys.modules)) or 0)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=Path(__file__).parents[1])
    assert ran.returncode == 0, ran.stderr
