"""Train a grid of constants or starts as one population; write its picture and its table."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from targetrl_core.commands import FINE
from targetrl_core.commands.output import say
from targetrl_core.commands.parser import OF_REINFORCE, Noted, add_constants, add_output, add_place, check_effect, given, problem_of
from targetrl_core.errors import UsageError, one_of

if TYPE_CHECKING:
    from targetrl_core.sweeps.grid import Grid
    from targetrl_core.sweeps.run import Swept

SHOWN = ("distance", "outcome", "first-step")
"""What a picture may show."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Axes, what every cell shares, and what is written."""
    form = "NAME=START:STOP:COUNT[:log] or NAME=VALUE,VALUE,…"
    parser.add_argument(
        "--x",
        dest="x_axis",
        metavar="AXIS",
        required=True,
        help=f"what varies to the right: {form}; a constant (x also as input), weight, bias or seed",
    )
    parser.add_argument("--y", dest="y_axis", metavar="AXIS", help="what varies upwards, likewise (default: nothing)")
    parser.add_argument("--show", default=SHOWN[0], help=f"what the picture shows: {one_of(SHOWN)} (default: {SHOWN[0]})")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="the picture, .png; a file that is there is replaced")
    parser.add_argument("--data", type=Path, metavar="FILE", help="a row for each cell, .csv or .parquet; likewise")
    parser.add_argument("--seed", action=Noted, type=int, default=0, help="seed of every policy (default: 0)")
    parser.add_argument("--weight", action=Noted, type=float, help="weight that every policy begins with (default: its seed's)")
    parser.add_argument("--bias", action=Noted, type=float, help="bias that every policy begins with (default: its seed's)")
    add_place(parser)
    add_constants(parser, flags={"x": "input"})
    add_output(parser)


def run(options: argparse.Namespace) -> int:
    """Train, say what was found, and write what was asked for; nothing is trained where it could not be written."""
    _check(options)
    from targetrl_core.progress import progress
    from targetrl_core.sweeps.results import sweep_document, sweep_lines
    from targetrl_core.sweeps.run import train_grid

    grid = _grid(options)
    with progress(grid.cells, "cells", quiet=options.quiet) as bar:
        swept = train_grid(grid, variant=options.variant or "auto", device=options.device, tell=bar.update)
    files = [path for path in (options.output, options.data) if path is not None]
    # Printed before anything is written: a full disk costs the files alone.
    say(options, sweep_lines(swept), lambda: sweep_document(swept) | {"files": [str(path) for path in files]})
    _write(swept, options)
    for path in [] if options.json else files:
        print(f"wrote {path}")
    return FINE


def _grid(options: argparse.Namespace) -> "Grid":
    from targetrl_core.sweeps.axes import parse
    from targetrl_core.sweeps.grid import GridStart, grid_of

    axes = [parse(text) for text in (options.y_axis, options.x_axis) if text is not None]
    start = GridStart(options.seed, options.weight, options.bias)
    grid = grid_of(problem_of(options, options.objective, options.arithmetic), axes, start)
    check_effect(options, [options.objective])
    _check_axes(options, [axis.name for axis in axes])
    return grid


def _check_axes(options: argparse.Namespace, names: Sequence[str]) -> None:
    """Raise UsageError where an axis or what is given beside it has no effect."""
    for name in names:
        if name in given(options):
            raise UsageError(f"{given(options)[name]} is given, and {name} is on an axis; it must be one of the two")
        if name in OF_REINFORCE and options.objective != "reinforce":
            raise UsageError(f"axis {name} has an effect under --objective reinforce alone, and --objective is {options.objective}")


def _check(options: argparse.Namespace) -> None:
    """Raise UsageError where the picture or the table could not be made, or not be written."""
    from targetrl_core.pictures.canvas import check_picture
    from targetrl_core.sweeps.results import check_table

    if options.show not in SHOWN:
        raise UsageError(f"--show is {options.show!r}; it must be one of {one_of(SHOWN)}")
    if options.output is not None:
        check_picture("--output", options.output)
    if options.data is not None:
        check_table("--data", options.data)


def _write(swept: "Swept", options: argparse.Namespace) -> None:
    from targetrl_core.files import write, writing
    from targetrl_core.listing.basin import picture
    from targetrl_core.sweeps.results import write_table

    if options.output is not None:
        write(options.output, picture(swept, options.show))
    if options.data is not None:
        with writing(options.data) as new:
            write_table(swept, new, options.data.suffix)
