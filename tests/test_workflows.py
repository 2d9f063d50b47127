"""The workflows of .github/: what they call exists, what they may do is little, and the comparison works on files of several devices."""

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from bench.evidence import records
from tests.some_evidence import EVIDENCE

ROOT = Path(__file__).parent.parent
WORKFLOWS = {path.name: yaml.safe_load(path.read_text()) for path in (ROOT / ".github/workflows").glob("*.yml")}
MEASURE = yaml.safe_load((ROOT / ".github/actions/measure/action.yml").read_text())
BENCHMARKS = WORKFLOWS["benchmarks.yml"]["jobs"]


def all_steps() -> Iterator[dict[str, Any]]:
    """The steps of every job, and of the action that they share."""
    for workflow in WORKFLOWS.values():
        for job in workflow["jobs"].values():
            yield from job["steps"]
    yield from MEASURE["runs"]["steps"]


SCRIPTS = [step["run"] for step in all_steps() if "run" in step]


def calls(program: str) -> list[list[str]]:
    """The words after a program, for each line of a script that begins with it, up to where its output goes."""
    lines = [re.split(r"[|>]", line)[0] for script in SCRIPTS for line in script.splitlines()]
    return [shlex.split(line.removeprefix(program)) for line in lines if line.startswith(f"{program} ")]


def options(words: list[str]) -> set[str]:
    """The options among words, without their values."""
    return {word.partition("=")[0] for word in words if word.startswith("--")}


def step_named(job: dict[str, Any], name: str) -> str:
    """The script of a job's step."""
    (script,) = (step["run"] for step in job["steps"] if step.get("name") == name)
    return str(script)


def run_script(script: str, folder: Path, **variables: object) -> subprocess.CompletedProcess[str]:
    """Run a script in a folder as a runner does, with this Python as its ``python``."""
    programs = folder / "programs"
    programs.mkdir(exist_ok=True)
    (programs / "python").write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
    (programs / "python").chmod(0o755)
    here = {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": ROOT, "GITHUB_STEP_SUMMARY": folder / "summary.md"}
    environment = os.environ | {name: str(value) for name, value in (here | variables).items()}
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


BENCH_CALLS = calls("python -m bench")


@pytest.mark.parametrize("words", BENCH_CALLS, ids=[words[0] for words in BENCH_CALLS])
def test_bench_commands_exist(words: list[str]) -> None:
    """Each command of the project that a workflow calls exists, with the options that it is given."""
    command = [sys.executable, "-m", "bench", words[0], "--help"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert options(words) <= set(re.findall(r"--[a-z-]+", ran.stdout))


def test_the_suite_takes_its_options(pytestconfig: pytest.Config) -> None:
    """The run of the suite names options that pytest has, a device, a label and a folder among them."""
    (words,) = calls("python -m pytest")
    assert {"--benchmark-only", "--device", "--label", "--results"} <= options(words)
    for option in options(words):
        pytestconfig.getoption(option)


def test_ci_runs_what_lands_a_change() -> None:
    """The checks of a push are those of .ci/run, with the pinned torch and the oldest; what it makes are targets of the Makefile."""
    job = WORKFLOWS["ci.yml"]["jobs"]["ci"]
    assert step_named(job, "Run all checks") == "bash .ci/run"
    assert {row["torch"] for row in job["strategy"]["matrix"]["include"]} == {"", oldest_torch()}
    targets = {word for line in re.findall(r"^make (.*)$", (ROOT / ".ci/run").read_text(), re.MULTILINE) for word in line.split()}
    assert "workflows" in targets
    for target in targets:
        assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_every_supported_python_is_tested() -> None:
    """The wheel is installed and tested on each Python that the package says it supports."""
    lines = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["classifiers"]
    job = WORKFLOWS["ci.yml"]["jobs"]["installed"]
    assert [f"Programming Language :: Python :: {version}" for version in job["strategy"]["matrix"]["python"]] == [
        text for text in lines if ":: Python ::" in text
    ]
    assert step_named(job, "Install the wheel and test it") == "make installed"


def test_what_is_released_is_built_checked_and_attested(tmp_path: Path) -> None:
    """A job that may read alone builds and tests the files of a tag that names their version; another attests and drafts them."""
    jobs = WORKFLOWS["release.yml"]["jobs"]
    assert WORKFLOWS["release.yml"][True] == {"push": {"tags": ["v*"]}}  # YAML's on is true
    assert step_named(jobs["build"], "Build, check, install and test") == "make installed"
    assert jobs["attest"]["needs"] == "build"
    attested = [step["with"]["subject-path"] for step in jobs["attest"]["steps"] if "attest-build-provenance" in step.get("uses", "")]
    assert attested == ["dist/*"]
    assert "--draft" in step_named(jobs["attest"], "Draft the release")
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist/targetrl-1.2.tar.gz").touch()
    script = step_named(jobs["build"], "Compare the tag with the version")
    assert [run_script(script, tmp_path, GITHUB_REF_NAME=tag).returncode for tag in ("v1.2", "v1.20", "v1.1")] == [0, 1, 1]


def oldest_torch() -> str:
    """What pip is to be asked for, for the oldest torch that pyproject.toml allows."""
    needed: list[str] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    (least,) = (text.removeprefix("torch>=") for text in needed if text.startswith("torch>="))
    return f"=={least}.*"


def test_the_matrix_covers_every_system() -> None:
    """Linux on two processors, macOS with and without its GPU, Windows, the oldest and the newest torch; CUDA where there is a runner."""
    rows = BENCHMARKS["measure"]["strategy"]["matrix"]["include"]
    assert {(row["runner"], row["device"], row.get("torch")) for row in rows} == {
        ("ubuntu-24.04", "cpu", None),
        ("ubuntu-24.04", "cpu", oldest_torch()),
        ("ubuntu-24.04", "cpu", oldest_torch().replace("==", ">=").removesuffix(".*")),
        ("ubuntu-24.04-arm", "cpu", None),
        ("macos-15", "cpu", None),
        ("macos-15", "mps", None),
        ("windows-2025", "cpu", None),
    }
    assert BENCHMARKS["cuda"]["if"] == "vars.CUDA_RUNNER != ''"
    assert BENCHMARKS["cuda"]["continue-on-error"] is True


def expected() -> list[str]:
    """The files that the matrix should leave, without .json."""
    rows = [*BENCHMARKS["measure"]["strategy"]["matrix"]["include"], BENCHMARKS["cuda"]["steps"][-1]["with"]]
    return [f"{row['label']}-{row['device']}" for row in rows]


def test_every_row_is_awaited() -> None:
    """The job that compares asks for the file of every row of the matrix and waits for all of them, whether they failed or not."""
    job = BENCHMARKS["compare"]
    words = shlex.split(step_named(job, "Say what is missing").partition(">>")[0])
    assert words == ["python", "-m", "bench", "missing", "--results", "evidence", *expected()]
    assert job["needs"] == ["measure", "cuda"]
    assert "!cancelled()" in job["if"]


def test_files_of_several_devices_are_compared(tmp_path: Path) -> None:
    """The steps of the job that compares, as they stand, on files of several devices: a summary of all of them."""
    there = [name for name in expected() if not name.startswith("windows")]
    (tmp_path / "evidence").mkdir()
    content = json.loads((EVIDENCE / "amd-epyc-2c-cpu.json").read_text())
    for name in there:
        label, _, device = name.rpartition("-")
        content["targetrl"] |= {"label": label, "device": device}
        (tmp_path / f"evidence/{name}.json").write_text(json.dumps(content))
        assert records.read(tmp_path / f"evidence/{name}.json").targetrl.label == label
    for step in BENCHMARKS["compare"]["steps"]:
        if "run" in step and step["name"] != "Install":
            ran = run_script(step["run"], tmp_path, REPORT="https://example.org/report")
            assert ran.returncode == 0, ran.stdout + ran.stderr
    summary = (tmp_path / "summary.md").read_text()
    assert f"Measured: {len(there)} of {len(expected())}.\n\n- not measured: `windows-x64-cpu`" in summary
    assert summary.count("- not measured: `") == 1
    assert "index.html in [the report of this run](https://example.org/report)" in summary
    assert "# Results" in summary
    assert all(name.rpartition("-")[0] in summary for name in there)


def test_a_matrix_without_files_fails(tmp_path: Path) -> None:
    """Where no row left its file, the summary says so of each, and the step fails."""
    ran = run_script(step_named(BENCHMARKS["compare"], "Say what is missing"), tmp_path)
    assert ran.returncode == 1
    assert (tmp_path / "summary.md").read_text().count("- not measured: `") == len(expected())


def test_no_script_is_made_of_what_others_wrote() -> None:
    """Expressions reach a script through its environment alone."""
    assert not [script for script in SCRIPTS if "${{" in script]


def test_actions_are_pinned() -> None:
    """Each action is the project's own or named by its commit, with its version beside it."""
    lines = [line for path in (ROOT / ".github").rglob("*.yml") for line in path.read_text().splitlines() if "uses:" in line]
    assert lines
    for line in lines:
        assert re.search(r"uses: (\./\.github/actions/measure |[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$)", line), line


def test_permissions_are_the_least() -> None:
    """Nothing is granted to a whole workflow; two jobs may write, and they check nothing out and run nothing of the project."""
    writers = {}
    for name, workflow in WORKFLOWS.items():
        assert workflow["permissions"] == {}
        assert "secrets." not in (ROOT / ".github/workflows" / name).read_text()
        for job in workflow["jobs"].values():
            if set(job["permissions"].values()) != {"read"}:
                writers[name] = job["permissions"]
                assert not [step for step in job["steps"] if re.search(r"checkout|cache|python|git |make", json.dumps(step))]
            for step in job["steps"]:
                assert "checkout" not in step.get("uses", "") or step["with"]["persist-credentials"] is False
    assert writers == {
        "release.yml": {"attestations": "write", "contents": "write", "id-token": "write"},
        "verdict-comment.yml": {"actions": "read", "pull-requests": "write"},
    }


COMMENT = WORKFLOWS["verdict-comment.yml"]["jobs"]["comment"]
JUDGE = WORKFLOWS["verdict.yml"]["jobs"]["verdict"]
GH = """#!/bin/sh
echo "$*" >> calls
case "$*" in
  *repos/us/it/pulls/7\\ *) echo "$FAKE_HEAD" ;;
  *--paginate*) printf "$FAKE_COMMENTS" ;;
  *artifacts*) echo "$FAKE_SIZE" ;;
esac
"""


def fake_github(folder: Path) -> None:
    """Put a ``gh`` where scripts find it: it keeps what it is called with, and answers as its environment says."""
    (folder / "programs").mkdir()
    (folder / "programs/gh").write_text(GH)
    (folder / "programs/gh").chmod(0o755)


def comment(folder: Path, *, number: str = "7", verdict: str = "| row |\n", head: str = "abc", comments: str = "") -> tuple[int, str, str]:
    """Run the step that comments beside a GitHub that is made up; returns its exit code, what it sent, and the comment."""
    fake_github(folder)
    (folder / "verdict").mkdir()
    (folder / "verdict/number").write_text(number)
    (folder / "verdict/verdict.md").write_text(verdict)
    variables = {"RUNNER_TEMP": folder, "REPOSITORY": "us/it", "RUN_URL": "https://here/run", "HEAD_SHA": "abc"}
    ran = run_script(step_named(COMMENT, "Comment"), folder, **variables, FAKE_HEAD=head, FAKE_COMMENTS=comments)
    sent, text = folder / "verdict/calls", folder / "comment.md"
    return ran.returncode, sent.read_text() if sent.exists() else "", text.read_text() if text.exists() else ""


def test_the_verdict_is_kept_where_the_comment_looks(tmp_path: Path) -> None:
    """The workflow that comments follows the one that judges, and finds the files that it leaves, also of a change that is slower."""
    assert WORKFLOWS["verdict-comment.yml"][True]["workflow_run"]["workflows"] == [WORKFLOWS["verdict.yml"]["name"]]  # YAML's on is true
    (kept,) = (step for step in JUDGE["steps"] if "upload-artifact" in step.get("uses", ""))
    (fetched,) = (step for step in COMMENT["steps"] if "download-artifact" in step.get("uses", ""))
    assert [kept["with"][name] for name in ("name", "path")] == [fetched["with"][name] for name in ("name", "path")]
    assert run_script(step_named(JUDGE, "Note the pull request"), tmp_path, RUNNER_TEMP=tmp_path, NUMBER=7).returncode == 0
    slower = re.sub("python -m bench ab [^|]*", "(echo '| a row | SLOWER |'; exit 1) ", step_named(JUDGE, "Judge"))
    assert run_script(slower, tmp_path, RUNNER_TEMP=tmp_path).returncode == 1
    assert (tmp_path / "verdict/number").read_text() == "7\n"
    assert (tmp_path / "verdict/verdict.md").read_text() == (tmp_path / "summary.md").read_text() == "| a row | SLOWER |\n"


def test_a_verdict_becomes_a_comment(tmp_path: Path) -> None:
    """The first verdict of a pull request is posted, below the marker that it is found by later."""
    code, sent, text = comment(tmp_path, verdict="| `fused` | 3 % | SLOWER |\n", number="7\n")
    assert code == 0
    assert f"--method POST repos/us/it/issues/7/comments --field body=@{tmp_path}/comment.md" in sent
    assert text.startswith("<!-- targetrl verdict -->\n")
    assert text.endswith("\n\n| `fused` | 3 % | SLOWER |\n")


def test_a_later_verdict_takes_its_place(tmp_path: Path) -> None:
    """Where there is a comment of ours, it is that which changes."""
    code, sent, _ = comment(tmp_path, comments="41\\n42\\n")
    assert code == 0
    assert "--method PATCH repos/us/it/issues/comments/41 " in sent
    assert "POST" not in sent


@pytest.mark.parametrize(
    "hostile",
    [
        {"number": "7/../8"},
        {"number": "7; id"},
        {"number": "a[$(touch it)]"},
        {"number": "7\n8\n"},
        {"number": "0"},
        {"number": "9" * 30},
        {"number": "8"},
        {"head": "another"},
        {"verdict": "x" * 50_001},
    ],
)
def test_a_forged_artifact_is_refused(hostile: dict[str, str], tmp_path: Path) -> None:
    """A number that is none, or of a pull request whose head was not judged, and a text without end: nothing is written."""
    code, sent, text = comment(tmp_path, **hostile)
    assert code == 1
    assert "POST" not in sent
    assert "PATCH" not in sent
    assert not text
    assert not list(tmp_path.rglob("it"))


def test_a_link_in_the_artifact_is_refused(tmp_path: Path) -> None:
    """A file that is a link to another one of the runner is not read."""
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "verdict").mkdir()
    (tmp_path / "verdict/number").write_text("7")
    (tmp_path / "verdict/verdict.md").symlink_to(tmp_path / "secret")
    ran = run_script(step_named(COMMENT, "Comment"), tmp_path, RUNNER_TEMP=tmp_path)
    assert ran.returncode == 1
    assert "verdict.md is no plain file" in ran.stderr


def test_nothing_judged_is_no_comment(tmp_path: Path) -> None:
    """An empty verdict, of a run that broke, is passed over."""
    code, sent, _ = comment(tmp_path, verdict="")
    assert (code, sent) == (0, "")


def test_a_comment_calls_nobody(tmp_path: Path) -> None:
    """Mentions, HTML, links and references of the judged code's output are text."""
    verdict = "@someone <img src=x> [here](https://evil) ![x][y] www.evil #12 &#64;someone\n[y]: //evil\n"
    _, _, text = comment(tmp_path, verdict=verdict)
    lines = text.partition("abc.\n\n")[2]
    assert not re.search(r"@\w|<|\]\(|\]\[|\]:|://|www\.|#12|&#64", lines)
    assert "someone" in lines


@pytest.mark.parametrize(("size", "code", "output"), [("0", 0, ""), ("900", 0, "there=true\n"), ("100001", 1, "")])
def test_a_large_artifact_is_not_fetched(size: str, code: int, output: str, tmp_path: Path) -> None:
    """How large the artifact is, is asked before it is fetched; where there is none, all later steps are passed over."""
    fake_github(tmp_path)
    (tmp_path / "output").touch()
    script = step_named(COMMENT, "Look at the artifact's size")
    ran = run_script(script, tmp_path, FAKE_SIZE=size, REPOSITORY="us/it", RUN_ID=1, GITHUB_OUTPUT=tmp_path / "output")
    assert ran.returncode == code, ran.stderr
    assert (tmp_path / "output").read_text() == output
