"""The arguments that several commands take, and how wrong ones are reported."""

import argparse
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from targetrl_core.commands import WRONG_USAGE
from targetrl_core.errors import UsageError, one_line, one_of
from targetrl_core.listing.defaults import BASELINES, DEFAULTS, NOISE_SEED, OBJECTIVES, SAMPLES, STEPS
from targetrl_core.names import ARITHMETICS, DEVICES, OPTIMIZERS

if TYPE_CHECKING:
    from targetrl_core.problem import Problem

CONSTANTS = {
    "target": "output to reach, in (0, 1)",
    "k": "how fast the reward falls with the distance from the target",
    "x": "input of the policy",
    "lr": "learning rate",
    "beta1": "decay of Adam's first moment",
    "beta2": "decay of Adam's second moment",
    "eps": "what Adam adds to the root of the second moment",
    "sigma": "standard deviation of the actions under reinforce",
    "baseline_decay": "how much of the moving average of the rewards each step keeps under reinforce",
}
"""The constants that may differ from policy to policy: name → help."""

MOST_SECONDS = 1e6
"""Longest time that is asked for, some eleven days: what waits takes no longer ones."""

OF_REINFORCE = ("sigma", "samples", "baseline", "baseline_decay", "noise_seed")
"""Constants that no other objective looks at."""


class Parser(argparse.ArgumentParser):
    """argparse, with errors of one line, which point to the help of the command that was given."""

    def parse_known_args(  # type: ignore[override] # as argparse calls it, also for a command's own parser
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """End where anything is left over: argparse would leave that to the parser above, which does not know the options."""
        known, rest = super().parse_known_args(args, namespace)
        if rest:
            self.error(f"unrecognized arguments: {' '.join(rest)}{self._meant(rest)}")
        return known, rest

    def _meant(self, rest: Sequence[str]) -> str:
        """The options that are nearest to those that are not known."""
        from difflib import get_close_matches

        words = [word.partition("=")[0] for word in rest if word.startswith("--")]
        near = [name for word in words for name in get_close_matches(word, self._option_string_actions, 1)]
        return f"; did you mean {one_of(dict.fromkeys(near))}?" if near else ""

    def error(self, message: str) -> NoReturn:
        """End with exit code 2 and one line that points to --help."""
        self.exit(WRONG_USAGE, f"{self.prog}: {one_line(message)}; see {self.prog} --help\n")


class Noted(argparse.Action):
    """Store a value, and in ``given`` by which option."""

    def __call__(
        self, _parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: object, option_string: str | None = None
    ) -> None:
        """Store it."""
        setattr(namespace, self.dest, values)
        namespace.given = given(namespace) | {self.dest: option_string or self.dest}


def given(options: argparse.Namespace) -> dict[str, str]:
    """The constants and starts that were given: name → option."""
    by_name: dict[str, str] = getattr(options, "given", {})
    return by_name


def check_effect(options: argparse.Namespace, objectives: Sequence[str]) -> None:
    """Raise UsageError where a constant is given that none of some objectives looks at."""
    if "reinforce" in objectives:
        return
    for name, option in given(options).items():
        if name in OF_REINFORCE:
            raise UsageError(f"{option} has an effect under --objective reinforce alone, and --objective is {one_of(objectives)}")


def check_population(population: int, seed: int) -> None:
    """Raise UsageError where the seeds of a population would go on beyond those there are."""
    most = 2**64 - seed
    if 0 < most < population:
        raise UsageError(
            f"--population is {population}; it must be from 1 to {most}, as policies take the seeds from --seed on, below 2**64"
        )


def add_place(parser: argparse.ArgumentParser, variant: str = "the fastest that can run here", device: str = "") -> None:
    """How and where one problem is trained, its objective and its arithmetic; ``device`` is added to that option's help."""
    parser.add_argument("--variant", help=f"way to execute the step (default: {variant})")
    parser.add_argument("--device", default="cpu", help=f"{one_of(DEVICES)} (default: cpu){device}")
    parser.add_argument("--objective", default=OBJECTIVES[0], help=f"{one_of(OBJECTIVES)} (default: {OBJECTIVES[0]})")
    parser.add_argument("--arithmetic", default=ARITHMETICS[0], help=f"{one_of(ARITHMETICS)} (default: {ARITHMETICS[0]})")


def add_output(parser: argparse.ArgumentParser) -> None:
    """How the result is said."""
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument("-q", "--quiet", action="store_true", help="show no progress, only the result")


def add_constants(parser: argparse.ArgumentParser, flags: Mapping[str, str] | None = None) -> None:
    """The fields of a problem, but for its objective and arithmetic, of which a command may take several.

    ``flags`` says what a constant is called where its own name stands for something else.
    """
    parser.add_argument("--optimizer", default=OPTIMIZERS[0], help=f"{one_of(OPTIMIZERS)} (default: {OPTIMIZERS[0]})")
    parser.add_argument("--steps", type=count, default=STEPS, help=f"updates of each policy (default: {STEPS})")
    parser.add_argument(
        "--samples", action=Noted, type=count, default=SAMPLES, help=f"actions drawn each step under reinforce (default: {SAMPLES})"
    )
    parser.add_argument(
        "--baseline", action=Noted, default=BASELINES[0], help=f"of reinforce: {one_of(BASELINES)} (default: {BASELINES[0]})"
    )
    parser.add_argument(
        "--noise-seed", action=Noted, type=int, default=NOISE_SEED, help=f"which noise reinforce draws (default: {NOISE_SEED})"
    )
    for name, text in CONSTANTS.items():
        flag = (flags or {}).get(name, name).replace("_", "-")
        parser.add_argument(
            f"--{flag}",
            action=Noted,
            dest=name,
            metavar=flag.replace("-", "_").upper(),
            type=float,
            default=DEFAULTS[name],
            help=f"{text} (default: {DEFAULTS[name]:g})",
        )


def count(text: str) -> int:
    """A whole number, also as 1e6 or 1_000_000."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if value < 1 or not value.is_integer():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text) if text.isdecimal() else int(value)


def seconds(text: str) -> float:
    """A number of seconds, at least 0."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= MOST_SECONDS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from 0 to {MOST_SECONDS:g}")
    return value


def problem_of(options: argparse.Namespace, objective: Any, arithmetic: Any) -> "Problem":  # noqa: ANN401 — Problem checks both names
    """The problem that the options describe."""
    from targetrl_core.problem import Problem

    names = (*CONSTANTS, "optimizer", "steps", "samples", "baseline", "noise_seed")
    fields: dict[str, Any] = {name: getattr(options, name) for name in names}
    return Problem(objective=objective, arithmetic=arithmetic, **fields)
