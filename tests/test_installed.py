"""Variants of other packages, found through entry points."""

import json
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import torch

from targetrl_core import Population, Problem
from targetrl_core.variants import installed as module
from targetrl_core.variants.installed import GROUP

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "README.md").read_text()
CPU = torch.device("cpu")

MODULE = """
from targetrl_core import Variant, train  # what it needs of this package, at its own import
HONEST = Variant("honest", lambda problem, device, n: "only on Sundays", None)
NUMBER = 7
OTHER = HONEST._replace(name="other")
"""
ENTRIES = {
    "zz-honest": "some_module:HONEST",
    "honest": "some_module:HONEST",
    "number": "some_module:NUMBER",
    "gone": "some_module:GONE",
    "absent": "no_such_module:HONEST",
    "batched": "some_module:HONEST",
    "Not A Name": "some_module:HONEST",
}


def install(folder: Path, package: str, entries: dict[str, str], modules: dict[str, str]) -> None:
    """Put a package where ``folder`` on the path makes it installed, as pip --target would."""
    for name, text in modules.items():
        (folder / f"{name}.py").write_text(text)
    info = folder / f"{package.replace('-', '_')}-1.2.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(f"[{GROUP}]\n" + "".join(f"{name} = {value}\n" for name, value in entries.items()))


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a module of this project where what is in ``folder`` is installed."""
    path = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-m", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": path})


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The front page's example, installed."""
    folder = tmp_path_factory.mktemp("site")
    _, example = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (project,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    install(folder, "my-package", tomllib.loads(project)["project"]["entry-points"][GROUP], {"my_package": example})
    return folder


def test_an_installed_variant_is_verified(mine: Path) -> None:
    """The front page's example stands in `targetrl verify` beside the built-in variants, and converges identically."""
    ran = run(mine, "targetrl_core.cli", "verify", "--device", "cpu", "--variant", "mine", "--variant", "batched", "--population", "20",
              "--objective", "detached")  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert len(re.findall(r"^cpu +mine +\w+ +native +bounded", ran.stdout, re.MULTILINE)) == 1
    assert len(re.findall("not run: mine is native arithmetic", ran.stdout)) == 1


def test_an_installed_variant_is_timed(mine: Path) -> None:
    """It has rows in the suite, with a speed and its identity."""
    timed = ("--benchmark-only", "--quick", "--device", "cpu", "-k", "detached-native-1-mine")
    ran = run(mine, "pytest", "-p", "tests.quiet", "-p", "tests.brief", "-p", "no:cacheprovider", *timed)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert re.search(r"test_steady_state\[cpu-detached-native-1-mine\] [\d.]+ [kMG] policy-steps/s, bounded", ran.stdout)


def test_what_is_wrong_with_an_entry_is_said(tmp_path: Path) -> None:
    """An entry that cannot be loaded, is no variant or takes a name in use is listed with the reason, and the others go on."""
    install(tmp_path, "some-package", ENTRIES, {"some_module": MODULE})
    install(tmp_path, "z-package", {"honest": "some_module:HONEST"}, {})
    ran = run(tmp_path, "targetrl_core.cli", "devices")
    assert ran.returncode == 0, ran.stderr
    reasons = dict(re.findall(r"^ +(\S+) +not available: (.*)$", ran.stdout, re.MULTILINE))
    here = "entry point {} of some-package".format
    assert reasons["honest"] == "only on Sundays"
    assert reasons["number"] == here("number") + " (some_module:NUMBER) is no Variant but of type int"
    assert reasons["gone"].startswith(here("gone") + " (some_module:GONE) cannot be loaded: AttributeError: module 'some_module' has no")
    assert (
        reasons["absent"]
        == here("absent") + " (no_such_module:HONEST) cannot be loaded: ModuleNotFoundError: No module named 'no_such_module'"
    )
    assert reasons["zz-honest"].endswith("is named 'honest': it must have the name of its entry point")
    assert reasons["some-package:batched"] == here("batched") + " has a name that is taken by targetrl itself"
    assert reasons["z-package:honest"] == "entry point honest of z-package has a name that is taken by some-package"
    assert reasons["some-package:not-a-name"].startswith("entry point 'Not A Name' of some-package must have a name of 1 to 64 of a-z")
    assert re.search(r"^ +batched +available$", ran.stdout, re.MULTILINE)


FAULTY = """
from targetrl_core import Variant
def says(problem, device, n):
    raise ValueError("one line\\nand another")
def exits(problem, device, n):
    raise SystemExit("ended")
SAYS = Variant("says", says, None)
NOTHING = Variant("nothing", lambda *_: None, lambda *_: None)
EXITS = Variant("exits", lambda *_: None, exits)
"""
FAULTS = {
    "says": "ValueError: one line and another",
    "nothing": "TypeError: 'NoneType' object is not callable",
    "exits": "SystemExit: ended",
}


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Variants that raise where they are asked, return nothing, or end the process, installed."""
    folder = tmp_path_factory.mktemp("faulty")
    install(folder, "faulty-package", {name: f"faulty_module:{name.upper()}" for name in FAULTS}, {"faulty_module": FAULTY})
    return folder


def test_devices_goes_on_after_a_faulty_variant(faulty: Path) -> None:
    """A variant that raises when it is asked where it can run is listed with what it raised, the others go on, and the exit code is 1."""
    ran = run(faulty, "targetrl_core.cli", "devices")
    assert (ran.returncode, ran.stderr) == (1, "")
    assert re.search(r"^ +says +not available: failed: ValueError: one line and another$", ran.stdout, re.MULTILINE)
    assert re.search(r"^ +batched +available$", ran.stdout, re.MULTILINE)
    places = json.loads(run(faulty, "targetrl_core.cli", "devices", "--json").stdout)["places"]
    assert [place["variant"] for place in places if place["failed"]] == ["says"]


def test_verify_goes_on_after_a_faulty_variant(faulty: Path) -> None:
    """A variant that fails has a row with what it raised, in lines and in JSON, those after it are verified, and the exit code is 1."""
    names = ["batched", *FAULTS, "batched-vmap"]
    chosen = [word for name in names for word in ("--variant", name)]
    place = ["--device", "cpu", "--objective", "detached", "--arithmetic", "native", "--population", "20"]
    ran = run(faulty, "targetrl_core.cli", "verify", *place, *chosen)
    assert ran.returncode == 1
    expected = [f"targetrl: {name} on cpu, detached, native: failed: {why}" for name, why in FAULTS.items()]
    assert ran.stderr.splitlines() == expected
    verdicts = [line.split()[4] for line in ran.stdout.splitlines()[1:]]
    assert verdicts == ["bounded", "failed:", "failed:", "failed:", "bounded"]
    rows = json.loads(run(faulty, "targetrl_core.cli", "verify", *place, *chosen, "--json").stdout)["rows"]
    assert [row["verdict"].strip(":") for row in rows] == [verdict.strip(":") for verdict in verdicts]
    assert [row["reasons"] for row in rows[1:4]] == [[why] for why in FAULTS.values()]


def test_a_package_that_comes_first_finds_this_one_whole(tmp_path: Path) -> None:
    """A package may use this one at its own import, whichever of the two is imported first; none is imported before it is asked for."""
    install(tmp_path, "some-package", {"honest": "some_module:HONEST"}, {"some_module": MODULE})
    code = (
        "import sys, torch, {}; from targetrl_core import VARIANTS, Problem; print('some_module' in sys.modules); "
        "print(VARIANTS[-1].name, VARIANTS[-1].unsupported(Problem(), torch.device('cpu'), 1))"
    )
    for first, imported in (("some_module", True), ("targetrl_core.training", False)):
        path = os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
        ran = subprocess.run([sys.executable, "-c", code.format(first)], capture_output=True, text=True, check=False, env=path)
        assert ran.stdout.splitlines() == [str(imported), "honest only on Sundays"], ran.stderr


def test_installed_variants_are_sorted_and_prepared(monkeypatch: pytest.MonkeyPatch) -> None:
    """They come by name; what one prepares is what its package prepares, and a broken one prepares nothing."""
    value = "targetrl_core.variants.batched:BATCHED"
    entries = [EntryPoint("zeta", value, GROUP), EntryPoint("alpha", value, GROUP), EntryPoint("batched", value, GROUP)]
    monkeypatch.setattr(module, "entry_points", lambda **_: entries)
    assert [variant.name for variant in module.installed_variants([])] == ["alpha", "batched", "zeta"]
    alpha, good, _ = module.installed_variants([])
    assert good.prepare(Problem(steps=2), CPU, 3)(Population.initialise(3), None).age == 2
    with pytest.raises(RuntimeError, match="is named 'batched': it must have the name of its entry point"):
        alpha.prepare(Problem(), CPU, 3)


def test_auto_takes_built_in_variants_alone(mine: Path) -> None:
    """`auto` is a statement about measured speeds, which exist of the built-in variants."""
    code = "import torch; from targetrl_core import training, VARIANTS, Problem; cpu = torch.device('cpu'); "
    code += "print(VARIANTS[-1].name, training.choose(Problem(), cpu, 16).name in training.FASTEST_FIRST)"
    path = os.environ | {"PYTHONPATH": f"{mine}{os.pathsep}{ROOT}"}
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=path)
    assert ran.stdout == "mine True\n", ran.stderr
