"""Train policies; by default the listing's run and its output."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from targetrl_core.commands import FINE, INTERRUPTED
from targetrl_core.commands.parser import add_constants, add_output, add_place, count, problem_of

if TYPE_CHECKING:
    from targetrl_core.problem import Problem
    from targetrl_core.streaming import Summary
    from targetrl_core.training import Run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which policies, how, where, and what on."""
    parser.add_argument("--seed", type=int, default=0, help="seed of the first policy, as for torch.manual_seed (default: 0)")
    parser.add_argument(
        "--population", type=count, default=1, metavar="N", help="policies to train; every step of a single one is printed (default: 1)"
    )
    add_place(parser, variant="eager for one policy, the fastest here for more")
    add_constants(parser)
    parser.add_argument(
        "--plot", type=Path, metavar="FILE", help="draw the learning curves, .png: output and reward, or the outputs of a population"
    )
    add_output(parser)


def run(options: argparse.Namespace) -> int:
    """Train, and print every step of one policy, or what became of many."""
    problem = problem_of(options, options.objective, options.arithmetic)
    if options.plot is not None:
        _check_plot(options)
    return _stream(problem, options) if options.population > 1 else _train(problem, options)


def _train(problem: "Problem", options: argparse.Namespace) -> int:
    from targetrl_core import report_json
    from targetrl_core.report import listing_lines

    variant = options.variant or ("eager" if options.arithmetic == "native" else "auto")
    found = _recorded(problem, variant, options)
    for line in [report_json.text(report_json.run(found))] if options.json else listing_lines(found):
        print(line)
    if options.plot is not None:
        _plot(found, options)
    return FINE


def _stream(problem: "Problem", options: argparse.Namespace) -> int:
    """Train a population of any size; interrupted, say what became of those that were trained."""
    from targetrl_core import report_json
    from targetrl_core.report import summary_lines

    summary = _last(problem, options)
    if summary is None:
        return INTERRUPTED
    for line in [report_json.text(report_json.summary(summary))] if options.json else summary_lines(summary):
        print(line)
    if summary.policies < options.population:
        return INTERRUPTED
    if options.plot is not None:
        _plot(_recorded(problem, summary.variant, options), options)
    return FINE


def _last(problem: "Problem", options: argparse.Namespace) -> "Summary | None":
    """The summary of all that were trained, None where nothing was."""
    from targetrl_core import stream
    from targetrl_core.progress import progress

    summaries = stream(problem, options.population, seed=options.seed, variant=options.variant or "auto", device=options.device)
    summary = None
    with progress(options.population, "policies", quiet=options.quiet) as bar:
        try:
            for summary in summaries:
                bar.update(summary.policies - bar.n)
        except KeyboardInterrupt:
            bar.close()
            done = 0 if summary is None else summary.policies
            print(f"targetrl: interrupted after {done:,} of {options.population:,} policies", file=sys.stderr)
    return summary


def _recorded(problem: "Problem", variant: str, options: argparse.Namespace) -> "Run":
    """The run with its outputs at every step."""
    from targetrl_core import Population, train

    start = Population.initialise(options.population, seed=options.seed)
    return train(problem, start, variant=variant, device=options.device, record=True)


def _check_plot(options: argparse.Namespace) -> None:
    from targetrl_core.pictures.canvas import check_picture
    from targetrl_core.pictures.curves import check_curves

    check_curves(options.population, options.steps)
    check_picture("--plot", options.plot)


def _plot(found: "Run", options: argparse.Namespace) -> None:
    from targetrl_core.files import replacing
    from targetrl_core.pictures.curves import learning_curves

    drawn = learning_curves(found)
    with replacing(options.plot) as new:
        new.write_bytes(drawn)
    if not options.json:
        print(f"wrote {options.plot}")
