"""The front page: what it shows is true."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bench.peers import PEERS
from bench.report import reach
from targetrl_core.rounding import FACTOR
from targetrl_core.variants import BUILT_IN
from tests.cheats import CHEATS
from tests.some_evidence import EVIDENCE

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "README.md").read_text()


def test_the_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """The Python example runs as it stands, and converges identically."""
    example = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert example is not None
    exec(compile(example[1], "README.md", "exec"), {})  # noqa: S102 — the page's own code
    out = capsys.readouterr().out
    assert out.startswith("Outcomes(at_target=")
    assert "\nbounded " in out


COMMANDS = [line.partition("#")[0].strip() for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]


@pytest.mark.parametrize("command", COMMANDS)
def test_its_commands_run(command: str, tmp_path: Path) -> None:
    """Each command on the page does what it says, from the project's folder.

    A verdict is not waited for, few policies are verified, no rows are timed, as ``make smoke`` does, and files are elsewhere.
    """
    words = shlex.split(command)
    words = [str(tmp_path / word) if before == "-o" else word for before, word in zip(["", *words], words, strict=False)]
    words += ["--budget", "0.1", "--select", "detached-native-100-fused"] if words[3:4] == ["ab"] else []
    words += ["--results", str(shutil.copytree(EVIDENCE, tmp_path / "evidence"))] if words[3:4] in (["recommend"], ["report"]) else []
    words += ["--population", "20", "--objective", "detached"] if words[1:2] == ["verify"] else []
    words += ["--collect-only"] if words[0] == "pytest" else []
    program = {"targetrl": "targetrl_core.cli", "pytest": "pytest"}.get(words[0])
    arguments = ["-m", program, *words[1:]] if program else words[1:]
    ran = subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout


def test_every_question_is_on_the_page() -> None:
    """The table of the suite has a row for each of its files."""
    table = PAGE.partition("## The suite")[2].partition("| option")[0]
    assert set(re.findall(r"^\| `(\w+\.py)`", table, re.MULTILINE)) == {path.name for path in (ROOT / "bench").glob("test_*.py")}


def test_every_variant_is_on_the_page() -> None:
    """The table of variants has a row for each that is built in, that of peers for each of those, and for no other."""
    table, _, peers = PAGE.partition("## Variants")[2].partition("\n## ")[0].partition("Peers are")
    assert re.findall(r"^\| `([a-z-]+)`", table, re.MULTILINE) == [variant.name for variant in BUILT_IN]
    assert re.findall(r"^\| `([a-z-]+)`", peers, re.MULTILINE) == [peer.name for peer in PEERS]


def test_its_numbers_are_those_of_the_code() -> None:
    """The factor of the bound and the number of cheats are what the code has."""
    assert FACTOR == 3.0
    assert "The bound is three times that reach" in PAGE.replace("\n  ", " ")
    assert f"{len(CHEATS)} cheats" in PAGE
    furthest = max(max(distances.by_tensor()) for by_steps in reach.read(EVIDENCE).values() for distances in by_steps.values())
    assert f"honest variants need at most {furthest:.2f} times" in PAGE


def test_no_placeholder_is_left() -> None:
    """Nothing on the page waits to be filled in."""
    assert "@@" not in PAGE
    assert "TODO" not in PAGE
