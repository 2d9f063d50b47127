"""Sweeps: every cell of a grid is what one policy alone would have become."""

import csv
import errno
import itertools
import json
import os
import struct
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import psutil
import pytest
import torch
from pyarrow import parquet

from targetrl_core import Population, Problem, UsageError, streaming, sweep, train
from targetrl_core.cli import main
from targetrl_core.commands import sweep as command
from targetrl_core.listing import basin
from targetrl_core.listing.defaults import Objective
from targetrl_core.listing.outcomes import Outcomes, first_steps
from targetrl_core.sweeps.axes import Axis, listed, parse
from targetrl_core.sweeps.grid import Grid, GridStart, grid_of
from targetrl_core.sweeps.run import Swept, train_grid

RATES, TARGETS = [0.003, 0.05, 0.4], [0.2, 0.5, 0.77, 0.9]


def alone(problem: Problem, start: Population) -> tuple[float, int, int]:
    """Output, outcome and first step at target of the one policy of a population."""
    from targetrl_core.history import History

    run = train(problem, start, variant="batched", record=True)
    assert run.history is not None
    assert run.logits is not None
    return float(run.outputs[0]), run.outcomes.index(1), int(first_steps(problem, History(run.logits, run.history))[0])


def begun(seed: int, weight: float | None, bias: float | None) -> Population:
    """One policy that begins as its seed says, or as it is told."""
    start = Population.initialise(1, seed=seed)
    own_weight, own_bias = (own if given is None else torch.tensor([given]) for own, given in ((start.weight, weight), (start.bias, bias)))
    return Population.fresh(own_weight, own_bias, start.seeds)


SWEEPS: list[dict[str, list[float]]] = [
    {"lr": RATES, "target": TARGETS},
    {"seed": [0, 7, 5_000_000_000, -3], "k": [2.0, 5.0]},
    {"weight": [-1.5, 0.25], "bias": [-2.0, 0.1, 3.0], "x": [0.5, 1.0]},
    {"eps": [1e-8, 0.1], "sigma": [0.05, 0.3], "baseline_decay": [0.5, 0.9]},
]


LOOPS = [(axes, objective, "batched") for axes in SWEEPS for objective in ("pathwise", "reinforce")]
LOOPS += [(SWEEPS[0], "reinforce", "fused"), (SWEEPS[1], "reinforce", "fused"), (SWEEPS[2], "pathwise", "fused")]


@pytest.mark.parametrize(("axes", "objective", "variant"), LOOPS)
def test_a_sweep_is_a_loop(axes: dict[str, list[float]], objective: Objective, variant: str) -> None:
    """Each cell has the bits of a policy that is trained alone under the cell's constants, from the cell's start."""
    problem = Problem(objective=objective, arithmetic="portable", steps=30)
    swept = sweep(problem, variant=variant, **axes)  # type: ignore[arg-type] # names of axes alone
    shape = tuple(len(values) for values in axes.values())
    expected = np.empty(shape, dtype=object)
    for place in itertools.product(*map(range, shape)):
        cell: dict[str, Any] = {name: values[at] for (name, values), at in zip(axes.items(), place, strict=True)}
        start = begun(cell.pop("seed", 0), cell.pop("weight", None), cell.pop("bias", None))
        expected[place] = alone(problem.replace(**cell), start)
    got = zip(swept["output"].values.flat, swept["outcome"].values.flat, swept["first_step"].values.flat, strict=True)
    assert [tuple(cell) for cell in got] == list(expected.flat)


def test_native_cells_are_those_of_a_loop_too() -> None:
    """In native arithmetic the same variant computes the same bits, whether a constant is the policy's own or everyone's."""
    problem = Problem(objective="pathwise", steps=30)
    swept = sweep(problem, variant="batched", lr=RATES, target=TARGETS)
    for (i, lr), (j, target) in itertools.product(enumerate(RATES), enumerate(TARGETS)):
        run = train(problem.replace(lr=lr, target=target), Population.initialise(1), variant="batched")
        assert float(swept["output"][i, j]) == float(run.outputs[0])


@pytest.mark.parametrize("variant", ["batched", "fused"])
def test_parts_do_not_show(variant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A grid that is trained a few cells at a time ends with the same bits, and tells of each part."""
    problem = Problem(objective="reinforce", arithmetic="portable", steps=20)
    whole = sweep(problem, variant=variant, seed=range(5), target=TARGETS)
    monkeypatch.setattr(streaming, "CPU_CHUNK", 7)
    monkeypatch.setattr(streaming, "HISTORY_CHUNK", 7 * 20)
    parts: list[int] = []
    assert sweep(problem, variant=variant, seed=range(5), target=TARGETS, tell=parts.append).identical(whole)
    assert parts == [7, 7, 6]


def test_labels() -> None:
    """The arrays are found by the values of the axes; what all cells share stands beside them."""
    swept = sweep(Problem(objective="pathwise", arithmetic="portable"), lr=RATES, target=np.linspace(0.1, 0.9, 5), bias=0.5, k=3.0)
    assert swept.sizes == {"lr": 3, "target": 5}
    assert set(swept.data_vars) == {"output", "distance", "outcome", "first_step"}
    cell = swept.sel(lr=0.05, target=0.5, method="nearest")
    assert float(cell["distance"]) == pytest.approx(abs(float(cell["output"]) - 0.5), abs=1e-7)
    assert float(cell["first_step"]) < 50
    assert swept.attrs["objective"] == "pathwise"
    assert swept.attrs["k"] == 3.0
    assert "lr" not in swept.attrs
    assert swept["outcome"].attrs["flag_meanings"].split() == list(Outcomes._fields)


def test_an_axis_of_betas_stays_close() -> None:
    """Where policies have betas of their own the bias corrections are computed in float32: the outputs differ by rounding alone."""
    problem = Problem(objective="detached", arithmetic="portable")
    swept = sweep(problem, variant="batched", beta1=[0.5, 0.9])
    for at, beta1 in enumerate((0.5, 0.9)):
        run = train(problem.replace(beta1=beta1), Population.initialise(1), variant="batched")
        assert float(swept["output"][at]) == pytest.approx(float(run.outputs[0]), rel=1e-4)


@pytest.mark.parametrize(
    ("text", "values", "scale"),
    [
        ("lr=1e-4:1:5:log", [1e-4, 1e-3, 1e-2, 1e-1, 1.0], "log"),
        ("target=0.25:0.75:3", [0.25, 0.5, 0.75], "linear"),
        ("target=0.75:0.25:3:linear", [0.75, 0.5, 0.25], "linear"),
        ("baseline-decay=0.5", [0.5], "listed"),
        ("bias=-1,2,0.5", [-1.0, 2.0, 0.5], "listed"),
        ("seed=-4:4:3", [-4, 0, 4], "linear"),
        ("seed=9007199254740993,1", [9007199254740993, 1], "listed"),
    ],
)
def test_axes_are_read(text: str, values: list[float], scale: str) -> None:
    """A range has its ends exactly, a list its values; seeds stay integers beyond what a float holds."""
    axis = parse(text)
    assert axis.values.tolist() == pytest.approx(values, rel=1e-12)
    assert axis.values[-1] == values[-1]
    assert axis.scale == scale


MISTAKES = [
    ("lr", "axis is 'lr'; it must be NAME=START:STOP:COUNT, NAME=START:STOP:COUNT:log or NAME=VALUE,VALUE,…"),
    ("rate=1,2", "axis is 'rate'; it must be one of target, k, x, lr,"),
    ("steps=1,2", "axis is 'steps'; it must be one of"),
    ("lr=0:1:10:log", "lr goes from 0 to 1; a log range must lie above 0"),
    ("lr=1:-1:10:log", "lr goes from 1 to -1; a log range must lie above 0"),
    ("lr=1:1:10", "lr goes from 1 to 1; a range must have two ends"),
    ("lr=1:2", "axis is 'lr=1:2'; it must be NAME="),
    ("lr=1:2:3:exp", "axis is 'lr=1:2:3:exp'; it must be NAME="),
    ("lr=1:2:1", "lr has '1' values; a range must have a whole number of at least 2"),
    ("lr=1:2:2.5", "lr has '2.5' values; a range must"),
    ("lr=1:2:inf", "lr has 'inf' values; a range must"),
    ("lr=a,b", "lr has the value 'a'; it must be a finite number"),
    ("lr=1:nan:4", "lr has the value 'nan'; it must be a finite number"),
    ("lr=-1,1", "lr[0] is -1.0; it must be a positive number"),
    ("target=0.5:1.5:3", "target[1] is 1.0; it must be a number between 0 and 1, both excluded"),
    ("seed=0:10:4", "seed goes from 0 to 10 by 4 values; they must be integers"),
    ("seed=1.5", "seed has the value '1.5'; it must be an integer"),
    ("weight=1e39,1", "weight is 1e+39; it must be a finite number, also as float32"),
    ("lr=0.1,1,1e-1", "lr has the value 0.1 more than once; each must be of its own"),
    ("seed=3,4,3", "seed has the value 3 more than once"),
    ("sigma=0.1,0.2", "axis sigma has an effect under --objective reinforce alone, and --objective is detached"),
    ("baseline-decay=0:0.5:3", "axis baseline_decay has an effect under --objective reinforce alone"),
    ("lr=0.1:0.2:1e15", "lr: 1,000,000,000,000,000 cells; there must be at most"),
]


@pytest.mark.parametrize(("text", "message"), MISTAKES)
def test_an_axis_that_cannot_be_used_is_one_line(text: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It ends with exit code 2 and one line that names the axis and what is allowed; huge ones before anything is allocated."""
    assert main(["sweep", "--x", text]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"targetrl: {message}")
    assert error.count("\n") == 1


def test_grids_that_cannot_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """No axis, one twice, constants that differ already, and more cells than memory holds are refused by name."""
    problem = Problem()
    with pytest.raises(UsageError, match="a sweep has no axis"):
        sweep(problem, lr=0.1)
    with pytest.raises(UsageError, match="lr is on two axes"):
        grid_of(problem, [listed("lr", [0.1]), listed("lr", [0.2])], GridStart())
    with pytest.raises(UsageError, match="k has 2 values; the problem of a sweep must have one"):
        sweep(problem.replace(k=[1.0, 2.0]), lr=[0.1])
    with pytest.raises(UsageError, match="axis is 'steps'; it must be one of"):
        sweep(problem, steps=[1, 2])
    for wrong in ([], [[0.1]], ["a"], [True]):
        with pytest.raises(UsageError, match=r"lr is .*number"):
            sweep(problem, lr=wrong)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"seed is .*integer"):
        sweep(problem, seed=[0.5])
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=1280))
    with pytest.raises(UsageError, match=r"lr by target: 3 × 4 cells; there must be at most 10: 128 bytes a cell, 0\.0 GiB are free"):
        sweep(problem, lr=RATES, target=TARGETS)


def test_a_sweep_without_its_packages(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Where xarray, matplotlib or pyarrow is missing, the error names it and the extra; what needs none of them works."""
    from targetrl_core import errors

    monkeypatch.setattr(errors, "find_spec", lambda _name: None)
    with pytest.raises(UsageError, match=r"xarray is not installed: pip install 'targetrl\[sweep\]'"):
        sweep(Problem(), lr=[0.1])
    assert main(["sweep", "--x", "lr=0.1", "-o", "a.png"]) == 2
    assert main(["sweep", "--x", "lr=0.1", "--data", "a.csv"]) == 2
    assert main(["sweep", "--x", "lr=0.1", "--variant", "batched"]) == 0
    captured = capsys.readouterr()
    assert captured.err.splitlines() == [
        f"targetrl: {name} is not installed: pip install 'targetrl[sweep]'" for name in ("matplotlib", "pyarrow")
    ]
    assert "best cell: lr=0.1: output" in captured.out


GRID = ["--x", "lr=1e-3:1:6:log", "--y", "target=0.2:0.8:4", "--objective", "pathwise", "--arithmetic", "portable", "--variant", "batched"]


def size(png: bytes) -> tuple[int, int]:
    """Width and height that a PNG says it has."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", png[16:24])
    return width, height


def test_the_command_writes_picture_and_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The picture is a PNG, the table has a row a cell, the files that were there are replaced, and the best cell is printed."""
    for name in ("a.png", "a.csv"):
        (tmp_path / name).write_text("old")
    assert main(["sweep", *GRID, "-o", str(tmp_path / "a.png"), "--data", str(tmp_path / "a.csv")]) == 0
    out = capsys.readouterr().out
    assert out.startswith("24 cells: target 0.2 … 0.8 (4, linear) by lr 0.001 … 1 (6, log)\npathwise, 50 steps, portable, batched on cpu\n")
    assert size((tmp_path / "a.png").read_bytes()) == (round(basin.WIDTH * 150), round(basin.HEIGHT * 150))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "a.png"]
    with (tmp_path / "a.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 24
    best = min(rows, key=lambda row: float(row["distance"]))
    assert f"best cell: target={float(best['target']):.6g}, lr={float(best['lr']):.6g}: output {float(best['output']):.6f}" in out
    swept = sweep(Problem(objective="pathwise", arithmetic="portable"), target=np.linspace(0.2, 0.8, 4), lr=np.geomspace(1e-3, 1, 6))
    assert [np.float32(row["output"]) for row in rows] == swept["output"].values.flatten().tolist()
    assert [Outcomes._fields.index(row["outcome"]) for row in rows] == swept["outcome"].values.flatten().tolist()
    assert [int(row["first_step"] or 50) for row in rows] == swept["first_step"].values.flatten().tolist()


def test_the_axis_of_x_has_two_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The axis of x is also called input, as its option is: the results are the same."""
    documents, drawn = [], []
    for name in ("x", "input"):
        arguments = ["sweep", "--x", f"{name}=1,2", "-o", str(tmp_path / "a.png"), "--variant", "batched", "--json"]
        assert main(arguments) == 0
        documents.append(json.loads(capsys.readouterr().out))
        drawn.append((tmp_path / "a.png").read_bytes())
    assert documents[0] == documents[1]
    assert drawn[0] == drawn[1]
    assert documents[0]["axes"]["x"]["values"] == [1.0, 2.0]


def test_parquet_and_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Parquet holds the same as numbers; --json prints one document with axes, outcomes and the best cell, and nothing else."""
    path = tmp_path / "a.parquet"
    assert main(["sweep", *GRID, "--data", str(path), "--json", "--quiet"]) == 0
    captured = capsys.readouterr()
    documents = json.loads(captured.out)
    assert captured.err == ""
    table = parquet.read_table(path)
    assert table.column_names == ["target", "lr", "output", "distance", "outcome", "first_step"]
    assert table.num_rows == documents["cells"] == sum(documents["outcomes"].values()) == 24
    assert documents["axes"]["lr"]["values"] == np.geomspace(1e-3, 1, 6).tolist()
    assert documents["best"]["distance"] == min(table["distance"].to_pylist())
    assert documents["best"]["outcome"] == "at_target"
    assert documents["files"] == [str(path)]
    assert "lr" not in documents["problem"]


def swept_of(*axes: Axis, steps: int = 50) -> Swept:
    """A sweep about the pathwise problem."""
    return train_grid(grid_of(Problem(objective="pathwise", arithmetic="portable", steps=steps), axes, GridStart()), variant="batched")


@pytest.mark.parametrize("show", command.SHOWN)
@pytest.mark.parametrize(
    "axes",
    [["lr=1e-3:1:5:log"], ["lr=1:1e-3:5:log", "bias=-3:3:4"], ["target=0.2,0.5,0.7", "lr=0.1,1"], ["seed=0:40:41", "k=5"]],
    ids=" ".join,
)
def test_pictures_of_every_kind(axes: list[str], show: str) -> None:
    """One axis or two, ranges up or down, logarithmic, listed or single: drawn without a warning, twice the same bytes."""
    swept = swept_of(*map(parse, axes))
    drawn = basin.picture(swept, show, description="made for a test")
    assert drawn == basin.picture(swept, show, description="made for a test")
    assert size(drawn)[0] == round(basin.WIDTH * 150)
    assert b"made for a test" in drawn
    assert b"Matplotlib" not in drawn


def test_each_cell_of_a_large_picture_has_a_dot() -> None:
    """The resolution grows with the grid, up to a limit."""
    wide = basin.picture(swept_of(parse("lr=1e-3:1:1500:log"), steps=1), "outcome")
    assert size(wide)[0] > 1500
    assert size(wide)[0] < basin.WIDTH * basin.MOST_DPI


def test_what_shows_no_number_is_said(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A cell whose output is no number is never the best; where none has one, that is said, and the picture is drawn all the same."""
    swept = swept_of(listed("lr", RATES))
    nan = np.full(3, np.nan, np.float32)
    assert swept._replace(distance=np.array([np.nan, 0.3, 0.2], np.float32)).best == 2
    assert swept._replace(distance=nan).best is None
    tied = swept._replace(distance=np.array([0.1, 0.1, 0.1], np.float32), first_step=np.array([9, 3, 4], np.int32))
    assert tied.best == 1
    assert size(basin.picture(swept._replace(distance=nan, output=nan)))[0] > 0
    assert (
        main(["sweep", "--x", "lr=1e30,1e35", "--optimizer", "sgd", "--k", "1e30", "--steps", "9", "--json", "--variant", "batched"]) == 0
    )
    assert json.loads(capsys.readouterr().out)["cells"] == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "{}/a.jpg"], "--output is '{}/a.jpg'; its name must end in .png"),
        (["--data", "{}/a.txt"], "--data is '{}/a.txt'; its name must end in one of .csv, .parquet"),
        (["-o", "{}/folder.png"], "--output is '{}/folder.png'; it must be a file, and is a folder"),
        (["-o", "{}/file/a.png"], "{}/file: Not a directory; it must be a folder that can be written"),
        (["--show", "basin"], "--show is 'basin'; it must be one of distance, outcome, first-step"),
        (["--y", "lr=1,2"], "lr is on two axes; each must be of its own"),
        (["--lr", "3"], "--lr is given, and lr is on an axis; it must be one of the two"),
        (["--y", "weight=0,1", "--weight", "1"], "--weight is given, and weight is on an axis; it must be one of the two"),
        (["--y", "input=0,1", "--input", "1"], "--input is given, and x is on an axis; it must be one of the two"),
        (["--y", "seed=0,1", "--seed", "0"], "--seed is given, and seed is on an axis; it must be one of the two"),
        (["--samples", "2"], "--samples has an effect under --objective reinforce alone, and --objective is detached"),
        (["--variant", "fast"], "variant is 'fast'; it must be one of eager"),
        (["--weight", "nan"], "weight is nan; it must be a finite number, also as float32"),
        (["--seed", str(2**64)], f"seed is {2**64}; "),
    ],
)
def test_nothing_is_trained_for_nothing(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What could not be written or drawn is refused before training, in one line."""
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(Grid, "part", _part_of_one_cell(Grid.part))
    assert main(["sweep", "--x", "lr=0.1,1", *(argument.format(tmp_path) for argument in arguments)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("targetrl: " + message.format(tmp_path))
    assert error.count("\n") == 1


def _part_of_one_cell(part: Callable[..., Any]) -> Callable[..., Any]:
    """Only the cell that shows whether the variant can train any is made."""

    def only(grid: Grid, first: int, stop: int) -> Any:  # noqa: ANN401 — what it is made of
        assert stop - first == 1
        return part(grid, first, stop)

    return only


def test_a_full_disk_costs_the_files_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """What was found is printed, the file that was there is whole, and one line says which could not be written and why."""
    from targetrl_core.sweeps import results

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "Error writing bytes to file")

    path = tmp_path / "a.csv"
    path.write_text("old")
    monkeypatch.setattr(results, "write_table", full)
    assert main(["sweep", *GRID, "--data", str(path)]) == 2
    captured = capsys.readouterr()
    assert "best cell: " in captured.out
    assert "wrote" not in captured.out
    assert captured.err == f"targetrl: {path} could not be written: {os.strerror(errno.ENOSPC)}\n"
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a.csv", "old")]


def test_an_interruption_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Interrupted while it draws or writes, the command leaves the file that was there, and no other."""
    from targetrl_core.sweeps import results

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    (tmp_path / "a.csv").write_text("old")
    monkeypatch.setattr(results, "write_table", interrupted)
    assert main(["sweep", *GRID, "--data", str(tmp_path / "a.csv")]) == 130
    assert capsys.readouterr().err == "targetrl: interrupted\n"
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a.csv", "old")]


def test_a_sweep_of_noise_says_what_noise() -> None:
    """Under `reinforce` the labelled arrays name baseline, samples and noise seed beside the other constants."""
    swept = sweep(Problem(objective="reinforce", samples=8, baseline="none", noise_seed=7, steps=2), lr=[0.1, 0.2])
    assert [swept.attrs[name] for name in ("samples", "baseline", "noise_seed")] == [8, "none", 7]
    assert "lr" not in swept.attrs
