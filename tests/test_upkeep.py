"""The maintainers' programs: each is listed and says what it takes; what bounds writes is what the report reads."""

from pathlib import Path

import pytest

from bench.__main__ import main
from bench.report import reach
from bench.upkeep import PROGRAMS, bounds
from targetrl_core.variants.batched import BATCHED


def test_each_program_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """Every file of the folder that is one, with what it is for."""
    files = {path.stem.replace("_", "-") for path in Path(bounds.__file__).parent.glob("*.py") if "def run(" in path.read_text()}
    assert files - {"--init--"} == set(PROGRAMS)
    with pytest.raises(SystemExit, match="0"):
        main(["upkeep", "--help"])
    lines = [line.split(maxsplit=1) for line in capsys.readouterr().out.partition("programs:\n")[2].splitlines()]
    assert lines == [[name, text] for name, text in PROGRAMS.items()]


@pytest.mark.parametrize("name", PROGRAMS)
def test_each_program_says_what_it_takes(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Its own --help has its name and --quiet, which all have; an option that it does not know is refused in one line by that name."""
    with pytest.raises(SystemExit, match="0"):
        main(["upkeep", name, "--help"])
    out = capsys.readouterr().out
    assert out.startswith(f"usage: python -m bench upkeep {name} [-h]")
    assert "--quiet" in out
    with pytest.raises(SystemExit, match="2"):
        main(["upkeep", name, "--0"])
    error = capsys.readouterr().err
    assert error == f"python -m bench upkeep {name}: unrecognized arguments: --0; see python -m bench upkeep {name} --help\n"


def test_bounds_are_what_the_report_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Distances of every objective and optimiser, none beyond the factor, of few policies, steps and variants."""
    monkeypatch.setattr(bounds, "STEPS", {3: 40})
    monkeypatch.setattr(bounds, "BUILT_IN", (BATCHED,))
    assert main(["upkeep", "bounds", "--results", str(tmp_path), "--quiet"]) == 0
    assert capsys.readouterr().out == f"wrote {tmp_path / 'bounds.json'}\n"
    kinds = reach.read(tmp_path)
    assert len(kinds) == 6
    assert all(0 < distance < 3 for by_steps in kinds.values() for distance in by_steps["3"].by_tensor()[:1])
