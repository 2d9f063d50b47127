"""The ``targetrl`` command. torch is imported by the commands that need it, so that --help is instant."""

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from targetrl_core import __version__
from targetrl_core.errors import UsageError, one_of
from targetrl_core.names import ARITHMETICS, BASELINES, DEVICES, OBJECTIVES, OPTIMIZERS

if TYPE_CHECKING:
    from targetrl_core.problem import Problem

FINE, FAILED, WRONG_USAGE, INTERRUPTED = 0, 1, 2, 130

_CONSTANTS = {
    "target": (0.8, "output to reach, in (0, 1)"),
    "k": (5.0, "how fast the reward falls with the distance from the target"),
    "x": (1.0, "input of the policy"),
    "lr": (0.1, "learning rate"),
    "beta1": (0.9, "decay of Adam's first moment"),
    "beta2": (0.999, "decay of Adam's second moment"),
    "eps": (1e-8, "what Adam adds to the root of the second moment"),
    "sigma": (0.05, "standard deviation of the actions under reinforce"),
    "baseline_decay": (0.8, "how much of the moving average of the rewards each step keeps under reinforce"),
}


class _Parser(argparse.ArgumentParser):
    """argparse, with errors of one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(WRONG_USAGE, f"{self.prog}: {message}; see {self.prog} --help\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code: 0 fine, 1 the thing checked failed, 2 wrong usage."""
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return command(options)
    except UsageError as error:
        print(f"targetrl: {error}", file=sys.stderr)
        return WRONG_USAGE
    except KeyboardInterrupt:
        print("targetrl: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader has seen enough, as `| head` does
        sys.stderr.close()
        return FINE


def _parser() -> argparse.ArgumentParser:
    about = "Train many tiny reward-driven policies fast, and prove that they converge identically."
    parser = _Parser(prog="targetrl", description=about)
    parser.add_argument("--version", action="version", version=f"targetrl {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_train(commands.add_parser("train", help="train policies; by default the listing's run and its output"))
    devices = commands.add_parser("devices", help="what can run here, and for what cannot, why")
    devices.set_defaults(command=_devices)
    _add_verify(commands.add_parser("verify", help="check every variant on every device here against the oracle"))
    return parser


def _add_train(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", type=int, default=0, help="seed of the first policy, as for torch.manual_seed (default: 0)")
    parser.add_argument(
        "--population", type=_count, default=1, metavar="N", help="policies to train; every step of a single one is printed (default: 1)"
    )
    parser.add_argument("--variant", help="way to execute the step (default: eager for one policy, the fastest here for more)")
    parser.add_argument("--device", default="cpu", help=f"{one_of(DEVICES)} (default: cpu)")
    parser.add_argument("--objective", default=OBJECTIVES[0], help=f"{one_of(OBJECTIVES)} (default: {OBJECTIVES[0]})")
    parser.add_argument("--arithmetic", default=ARITHMETICS[0], help=f"{one_of(ARITHMETICS)} (default: {ARITHMETICS[0]})")
    _add_constants(parser)
    parser.set_defaults(command=_train)


def _add_verify(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--population", type=_count, default=100, metavar="N", help="policies of each check (default: 100)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first policy (default: 0)")
    parser.add_argument("--variant", action="append", help="check this variant only; may be repeated (default: all)")
    parser.add_argument("--device", action="append", help="check on this device only; may be repeated (default: all that are here)")
    parser.add_argument("--objective", action="append", help=f"{one_of(OBJECTIVES)}; may be repeated (default: all)")
    parser.add_argument("--arithmetic", action="append", help=f"{one_of(ARITHMETICS)}; may be repeated (default: all)")
    _add_constants(parser)
    parser.set_defaults(command=_verify)


def _add_constants(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--optimizer", default=OPTIMIZERS[0], help=f"{one_of(OPTIMIZERS)} (default: {OPTIMIZERS[0]})")
    parser.add_argument("--steps", type=_count, default=50, help="updates of each policy (default: 50)")
    parser.add_argument("--samples", type=_count, default=1, help="actions drawn each step under reinforce (default: 1)")
    parser.add_argument("--baseline", default=BASELINES[0], help=f"of reinforce: {one_of(BASELINES)} (default: {BASELINES[0]})")
    parser.add_argument("--noise-seed", type=int, default=0, help="which noise reinforce draws (default: 0)")
    for name, (default, text) in _CONSTANTS.items():
        flag = name.replace("_", "-")
        parser.add_argument(f"--{flag}", type=float, default=default, help=f"{text} (default: {default:g})")


def _count(text: str) -> int:
    """A whole number, also as 1e6 or 1_000_000."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if value < 1 or not value.is_integer():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text) if text.isdecimal() else int(value)


def _problem(options: argparse.Namespace, objective: Any, arithmetic: Any) -> "Problem":  # noqa: ANN401 — Problem checks both names
    from targetrl_core.problem import Problem

    fields: dict[str, Any] = {
        name: getattr(options, name) for name in (*_CONSTANTS, "optimizer", "steps", "samples", "baseline", "noise_seed")
    }
    return Problem(objective=objective, arithmetic=arithmetic, **fields)


def _train(options: argparse.Namespace) -> int:
    if options.population > 1:
        return _stream(options)
    from targetrl_core import Population, train
    from targetrl_core.report import listing_lines

    problem = _problem(options, options.objective, options.arithmetic)
    variant = options.variant or ("eager" if options.arithmetic == "native" else "auto")
    run = train(problem, Population.initialise(1, seed=options.seed), variant=variant, device=options.device, record=True)
    for line in listing_lines(run):
        print(line)
    return FINE


def _stream(options: argparse.Namespace) -> int:
    """Train a population of any size; interrupted, say what became of those that were trained."""
    from tqdm import tqdm

    from targetrl_core import stream
    from targetrl_core.report import summary_lines

    problem = _problem(options, options.objective, options.arithmetic)
    summaries = stream(problem, options.population, seed=options.seed, variant=options.variant or "auto", device=options.device)
    summary = None
    # Only where someone watches: disable=None.
    bar = tqdm(total=options.population, unit=" policies", unit_scale=True, disable=None, leave=False)
    try:
        for summary in summaries:
            bar.update(summary.policies - bar.n)
    except KeyboardInterrupt:
        bar.close()
        done = 0 if summary is None else summary.policies
        print(f"targetrl: interrupted after {done:,} of {options.population:,} policies", file=sys.stderr)
    bar.close()
    for line in [] if summary is None else summary_lines(summary):
        print(line)
    return FINE if summary is not None and summary.policies == options.population else INTERRUPTED


def _devices(_options: argparse.Namespace) -> int:
    from targetrl_core.report import device_lines

    for line in device_lines():
        print(line)
    return FINE


def _verify(options: argparse.Namespace) -> int:
    from targetrl_core import VARIANTS, Population, available_devices, verify
    from targetrl_core.devices import find_device
    from targetrl_core.report import VERIFY_HEADER, verify_line, verify_not_measured
    from targetrl_core.variants import find_variant
    from targetrl_core.verification import certify

    variants = [find_variant(name) for name in options.variant] if options.variant else list(VARIANTS)
    devices = [find_device(name) for name in options.device or available_devices()]
    population = Population.initialise(options.population, seed=options.seed)
    problems = [
        _problem(options, objective, arithmetic)
        for objective in options.objective or OBJECTIVES
        for arithmetic in options.arithmetic or ARITHMETICS
    ]
    print(VERIFY_HEADER)
    diverged = []
    for device in devices:
        for problem in problems:
            expectation = certify(problem, population)
            for variant in variants:
                reason = variant.unsupported(problem, device, population.n)
                if reason is not None:
                    print(verify_not_measured(variant.name, problem, device, reason), flush=True)
                    continue
                report = verify(problem, population, variant=variant, device=device, expectation=expectation)
                print(verify_line(report), flush=True)
                row = f"targetrl: {variant.name} on {device}, {problem.objective}, {problem.arithmetic}"
                diverged += [f"{row}: {reason}" for reason in report.reasons]
    for line in diverged:
        print(line, file=sys.stderr)
    return FAILED if diverged else FINE


if __name__ == "__main__":
    sys.exit(main())
