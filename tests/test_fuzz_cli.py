"""Whatever stands on a command line or in the environment: a documented exit code, at most one plain line on stderr, no traceback."""

import io
import json
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import bench.__main__ as of_bench
from bench import commands, upkeep
from bench.commands import ab, recommend
from bench.evidence.files import ROOT
from bench.evidence.fingerprint import fingerprint
from bench.evidence.schema import Environment, Fingerprint
from bench.report import page
from bench.timing.environment import THREAD_VARIABLES, Watch
from bench.upkeep import bounds, docs, gpu, kills, power, scaling, self_test, soak
from bench.verdicts.sides import snapshot
from targetrl_core import UsageError, cli, report, training, verification
from targetrl_core.commands import sweep
from targetrl_core.commands.parser import Parser
from targetrl_core.fused import cache, compiler
from targetrl_core.history import History
from targetrl_core.listing.defaults import OBJECTIVES
from targetrl_core.names import ARITHMETICS, DEVICES
from targetrl_core.pictures import curves
from targetrl_core.population import Population, check_seeds
from targetrl_core.sharding import shards
from targetrl_core.sweeps import results
from targetrl_core.sweeps import run as train_grid
from targetrl_core.variants import BUILT_IN
from tests.hostile import TEXTS, real_evidence

NUMBERS = (
    "0", "1", "-1", "2", "1e3", "1e6", "1e15", "1e16", "1e400", "nan", "inf", "-inf", "0.5", "1_000", "٣", "0x10", "9" * 5000, "-0",
    "18446744073709551615", "18446744073709551616", "-9223372036854775809", "4294967295", "4294967296", "1.0", " 1", "+1", "1e308",
)  # fmt: skip
NAMES = (*DEVICES, *OBJECTIVES, *ARITHMETICS, *(variant.name for variant in BUILT_IN), "auto", "cuda:1", "cpu:5", "cuda:-1", "meta", "sgd")
PATHS = (
    ".",
    "..",
    "/",
    "/dev/null",
    "/dev/stdin",
    "good-cpu.json",
    "other-cpu.json",
    "none.json",
    "folder",
    "\udcff-cpu.json",
    "~",
    "a" * 300,
)
FLAGS = ("--", "-", "---", "-h", "--help", "--version")
WORDS = tuple(text for text in (*TEXTS, *NUMBERS, *NAMES, *PATHS, *FLAGS, "a" * 300) if "\0" not in text)
FITTING = ("1", "2", "1e3", "0.5", *NAMES, *NAMES, "good-cpu.json", ".")
FILES = (("good-cpu.json",), ("good-cpu.json", "other-cpu.json"), ("--mixed-commits",), (".",))
WORD = st.sampled_from(WORDS) | st.text(st.characters(exclude_characters="\0"), max_size=20)


@pytest.fixture(scope="module", autouse=True)
def idle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """All that commands do before and after they train or measure, in a folder of two evidence files; nothing is trained or measured."""
    folder = tmp_path_factory.mktemp("here")
    (folder / "folder").mkdir()
    for name in ("good", "other"):
        (folder / f"{name}-cpu.json").write_text(json.dumps(real_evidence()))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(Population, "initialise", classmethod(few))
        patch.setattr(training, "_prepared", lambda *_: lambda population, _: population)
        patch.setattr(History, "empty", lambda *_: SimpleNamespace(outputs=torch.ones(1, 1), logits=torch.ones(1, 1)))
        patch.setattr(shards, "_trained", lambda ours, *_: (ours[0].plan.nothing(), True))
        patch.setattr(curves, "learning_curves", lambda _: b"")
        patch.setattr(train_grid, "train_grid", lambda *_, **__: None)
        patch.setattr(results, "sweep_lines", lambda _: ["a line"])
        patch.setattr(results, "sweep_document", lambda _: {})
        patch.setattr(sweep, "_write", lambda *_: [])
        patch.setattr(scaling, "measure", lambda *_: None)
        patch.setattr(scaling, "text", lambda _: "a line")
        patch.setattr(kills, "measure", lambda *_: SimpleNamespace(kills=[]))
        patch.setattr(kills, "text", lambda _: "a line")
        patch.setattr(report, "listing_lines", lambda _: ["a line"])
        for name in ("run_document", "verify_document"):
            patch.setattr(report, name, lambda *_: {})
        patch.setattr(report, "verify_line", lambda _: "a line")
        patch.setattr(verification, "certify", lambda *_: None)
        patch.setattr(verification, "verify", lambda *_, **__: SimpleNamespace(reasons=(), level="bounded"))
        for module, name in ((ab, "_compare"), (bounds, "run"), (docs, "run")):
            patch.setattr(module, name, lambda *_, **__: 0)
        patch.setattr(self_test, "measure", lambda *_, **__: [])
        patch.setattr(self_test, "write", lambda *_: folder)
        patch.setattr(gpu, "run_all", lambda *_: [])
        patch.setattr(soak, "soak", lambda *_: {1: soak.Held(1.0, 1, 1, 1, 1)})
        patch.setattr(soak, "growth", lambda _: soak.Growth(0.0, 0.0, []))
        patch.setattr(power, "measure", lambda *_: [])
        patch.setattr(commands, "RESULTS", folder)
        patch.setattr(recommend, "processor", lambda: ("a processor", 1))
        patch.setattr(page, "why_not", lambda: "no page")
        patch.setattr(signal, "signal", lambda *_: None)
        yield


def few(cls: type[Population], n: int, seed: int = 0, start: int = 0) -> Population:
    """Three policies, where the seeds are those of any number."""
    check_seeds(n, seed, start)
    return cls.fresh(torch.zeros(3), torch.zeros(3))


def run(main: Callable[[Sequence[str]], int], arguments: Sequence[str]) -> tuple[int, str]:
    """The exit code of a command, and what it said on stderr."""
    out, err = io.StringIO(), io.StringIO()
    with ExitStack() as stack:
        stack.enter_context(redirect_stdout(out))
        stack.enter_context(redirect_stderr(err))
        try:
            code = main(arguments)
        except SystemExit as ended:
            code = int(ended.code or 0)
    return code, err.getvalue()


def options_of(commands: Any) -> dict[str, list[str]]:  # noqa: ANN401 — the commands of either program
    """What each command takes."""
    options = {}
    for command in commands:
        parser = Parser()
        command.add_arguments(parser)
        options[command.__name__.rpartition(".")[2]] = [flag for action in parser._actions for flag in action.option_strings]  # noqa: SLF001
    return options


def lines_of(options: dict[str, list[str]]) -> st.SearchStrategy[list[str]]:
    """Command lines: mostly a command there is, with options that it has and values that may fit, and now and then anything."""

    def of(command: str) -> st.SearchStrategy[list[str]]:
        flag = st.sampled_from([*options.get(command, []), "--nothing"])
        fitting, any_word = st.tuples(flag, st.sampled_from(FITTING)), st.tuples(flag, WORD)
        joined = st.builds(lambda name, value: (f"{name}={value}",), flag, WORD)
        part = st.one_of(fitting, fitting, st.sampled_from(FILES), any_word, joined, st.tuples(WORD), st.tuples(flag))
        return st.lists(part, max_size=5).map(lambda parts: [command, *(word for words in parts for word in words)])

    return st.sampled_from([*sorted(options) * (100 // len(options)), *WORDS[::8]]).flatmap(of)


def check(main: Callable[[Sequence[str]], int], name: str | tuple[str, ...], arguments: list[str]) -> None:
    """The exit code is one of those that are documented, and stderr holds one plain line where it is 2, which names the program.

    Where it is 1, a line may say that nothing was verified.
    """
    code, shown = run(main, arguments)
    assert code in (0, 1, 2)
    assert len(shown.splitlines()) == (code == 2) or (code == 1 and shown.startswith("targetrl: nothing was verified, "))
    assert shown.removesuffix("\n").isprintable()
    assert shown.startswith(name) or code != 2
    assert len(shown) < 20_000


FUZZ = settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
OF_CORE, OF_BENCH = options_of(cli.COMMANDS), options_of(of_bench.COMMANDS)
OF_UPKEEP = options_of(map(upkeep.program_of, upkeep.PROGRAMS))


@FUZZ
@given(lines_of(OF_CORE))
@example(["train", "--device", "\udcff"])
@example(["\x1b[31m"])
def test_any_command_line_of_targetrl(arguments: list[str]) -> None:
    """`targetrl` trains, or refuses in one line."""
    check(cli.main, "targetrl", arguments)


@FUZZ
@given(lines_of(OF_BENCH) | lines_of(OF_UPKEEP).map(lambda words: ["upkeep", words[0].replace("_", "-"), *words[1:]]))
@example(["compare", "a\x1b]0;x\x07.json", "b\nc.json"])
def test_any_command_line_of_bench(arguments: list[str]) -> None:
    """`python -m bench` does what it is told, or refuses in one line."""
    check(of_bench.main, ("bench: ", "python -m bench"), arguments)


@pytest.mark.parametrize("commit", ["--output=out", "-h", "--upload-pack=touch out", "HEAD --output=out", "", "\x1b[31m", "HEAD:README.md"])
def test_no_commit_is_an_option(commit: str, tmp_path: Path) -> None:
    """What is no commit is refused in one line, and git takes it for nothing else."""
    with pytest.raises(UsageError, match="it must be a commit, a branch or a tag that git knows here") as caught:
        snapshot(commit, tmp_path / "base")
    assert str(caught.value).isprintable()
    assert not list(tmp_path.rglob("*out*"))
    assert not (ROOT / "out").exists()


VARIABLES = ("TARGETRL_CACHE_DIR", "XDG_CACHE_HOME", "HOME", "CXX", "CFLAGS", "CXXFLAGS", "COLUMNS", *THREAD_VARIABLES)
VALUE = WORD.filter(lambda word: bool(word) and not word.startswith("/") and ".." not in word)
MACHINE: dict[str, Any] = {"cpu": {"brand_raw": "Some CPU"}}


def kept_privately() -> bool:
    """Whether kernels would be kept, in a private folder; else it has to be said how to name another."""
    try:
        folder = cache.folder()
    except UsageError as error:
        return "TARGETRL_CACHE_DIR" in str(error)
    return folder.is_absolute() and folder.stat().st_mode & 0o777 == 0o700


@settings(FUZZ, max_examples=60)
@given(st.dictionaries(st.sampled_from(VARIABLES), VALUE))
@example({"CFLAGS": "x" * 5000, "OMP_NUM_THREADS": "\x1b[31m\n" * 100})
@example({"CXX": "true", "CFLAGS": "\udcff"})
def test_any_environment(variables: dict[str, str]) -> None:
    """Kernels are kept in a private folder or the variable's value is refused, and what evidence quotes of it is evidence that is read."""
    with pytest.MonkeyPatch.context() as patch:
        for name in VARIABLES:
            patch.delenv(name, raising=False)
        for name, value in ({"HOME": str(Path.cwd())} | variables).items():
            patch.setenv(name, value)
        assert kept_privately()
        taken = fingerprint(MACHINE, {}, "cpu", {})
        environment = Watch().finish("cpu")
        assert run(cli.main, ["--help"]) == (0, "")
    assert msgspec.json.decode(msgspec.json.encode(taken), type=Fingerprint) == taken
    assert msgspec.json.decode(msgspec.json.encode(environment), type=Environment) == environment


def test_a_compiler_that_says_nothing_has_no_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program named in CXX that prints nothing, or what is no text, is no compiler that evidence could name."""
    for script in ("exit 0", r"printf '\377\n'", "exit 1", "echo; echo"):
        (tmp_path / "silent").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "silent").chmod(0o755)
        monkeypatch.setenv("CXX", str(tmp_path / "silent"))
        taken = fingerprint(MACHINE, {}, "cpu", {})
        assert not any((version or "").strip("\ufffd") for version in (taken.compiler, taken.torch_compiler))


def test_the_compilers_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels are built by the first of their compilers on the PATH, whatever CXX names, and torch.compile calls what CXX names."""
    for name in ("c++", "g++", "mine"):
        (tmp_path / name).write_text(f"#!/bin/sh\necho {name} 1.0\necho more\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("CXX", str(tmp_path / "mine"))
    compiler.compiler.cache_clear()
    try:
        taken = fingerprint(MACHINE, {}, "cpu", {})
        (tmp_path / "c++").unlink()
        (tmp_path / "g++").unlink()
        monkeypatch.setenv("PATH", str(tmp_path))
        compiler.compiler.cache_clear()
        none = fingerprint(MACHINE, {}, "cpu", {})
    finally:
        monkeypatch.undo()
        compiler.compiler.cache_clear()
    assert (taken.compiler, taken.torch_compiler, taken.kernel_compiler) == ("mine 1.0", "mine 1.0", "c++ 1.0")
    assert none.kernel_compiler is None
