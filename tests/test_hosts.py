"""The recipe for many hosts: what its files say is what bash, YAML, torchrun and targetrl take."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml
from torch.distributed.run import get_args_parser

from targetrl_core.cli import _parser
from targetrl_core.sharding import group, pulse

DOCS = Path(__file__).parents[1] / "docs"
PAGE = (DOCS / "hosts.md").read_text(encoding="utf-8")
SLURM = (DOCS / "hosts.slurm").read_text(encoding="utf-8")
SKY = yaml.safe_load((DOCS / "hosts.sky.yaml").read_text(encoding="utf-8"))

COMMANDS = {
    "slurm": SLURM.partition("srun --kill-on-bad-exit=1 ")[2],
    "skypilot": SKY["run"],
    "page": next(line.partition("#")[0] for line in PAGE.splitlines() if line.startswith("torchrun")),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_its_commands_are_taken(name: str) -> None:
    """torchrun takes its options, and the targetrl command the rest: a population with checkpoints, to be resumed."""
    words = shlex.split(re.sub(r"\$(\w+|\(.*\))", "1", COMMANDS[name].replace("\\\n", " ")))
    assert words[0] == "torchrun"
    launched = get_args_parser().parse_args(words[1:])
    assert (launched.module, launched.training_script) == (True, "targetrl_core")
    options = _parser().parse_args(launched.training_script_args)
    assert options.population > 1
    assert (options.checkpoint is not None) == options.resume == (name != "page")


@pytest.mark.parametrize("script", [SLURM, SKY["run"], SKY["setup"]])
def test_bash_reads_its_scripts(script: str) -> None:
    """Every script is bash."""
    checked = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True, check=False)  # noqa: S607 — the one on the path
    assert checked.returncode == 0, checked.stderr


def test_one_torchrun_a_host() -> None:
    """SLURM starts one task a host, and every option of its head is one that stands alone or has a value."""
    head = dict(re.findall(r"^#SBATCH --([a-z-]+)=?(\S*)$", SLURM, re.MULTILINE))
    assert head["ntasks-per-node"] == "1"
    assert {name for name, value in head.items() if not value} == {"requeue"}
    assert set(SKY) == {"name", "num_nodes", "resources", "volumes", "workdir", "setup", "run"}


def test_its_times_are_those_of_the_code() -> None:
    """What the page says of waiting is what the ranks do."""
    table = PAGE.partition("## When a rank is lost")[2]
    for seconds in (pulse.LOST_SECONDS, pulse.PATIENCE_SECONDS, group.JOIN_SECONDS):
        assert f" {seconds:g} s |" in table
    assert _parser().parse_args(["train"]).patience == pulse.PATIENCE_SECONDS


@pytest.mark.parametrize("name", ["hosts.slurm", "hosts.sky.yaml"])
def test_the_page_links_its_files(name: str) -> None:
    """Both files are linked."""
    assert f"({name})" in PAGE
