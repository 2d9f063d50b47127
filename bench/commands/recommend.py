"""Say which variant to use here for N policies, by the evidence."""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench.commands import add_results
from targetrl_core.errors import UsageError, one_of
from targetrl_core.listing.defaults import OBJECTIVES
from targetrl_core.names import ARITHMETICS, DEVICES

if TYPE_CHECKING:
    from bench.cost.advice import Advice
    from bench.evidence.machine import Machine

MOST = 10**15
"""Most policies or steps that are asked for, as in evidence."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is to be trained, and where."""
    parser.add_argument("--policies", metavar="N", required=True, help="how many policies, as 10000 or 1e6")
    parser.add_argument("--steps", metavar="S", default="50", help="updates of each policy (default: 50)")
    parser.add_argument("--device", help=f"{one_of(DEVICES)} (default: every device that was measured)")
    parser.add_argument("--objective", default=OBJECTIVES[0], help=f"{one_of(OBJECTIVES)} (default: {OBJECTIVES[0]})")
    parser.add_argument("--arithmetic", default=ARITHMETICS[0], help=f"{one_of(ARITHMETICS)} (default: {ARITHMETICS[0]})")
    parser.add_argument("--cold", action="store_true", help="count the start of a fresh process: importing, preparing, the first call")
    parser.add_argument("--json", action="store_true", help="print it as JSON")
    add_results(parser)


def run(options: argparse.Namespace) -> int:
    """Predict, rank, and print."""
    from bench.cost.advice import advise
    from bench.cost.candidates import Wanted
    from bench.report import advice

    wanted = Wanted(
        _whole("policies", options.policies),
        _whole("steps", options.steps),
        _allowed("objective", options.objective, OBJECTIVES),
        _allowed("arithmetic", options.arithmetic, ARITHMETICS),
        options.cold,
    )
    machines, note = _machines(options)
    advised = advise(machines, wanted)
    print(_json(advised, note) if options.json else advice.text(advised, note))
    return 0


def _whole(name: str, text: str) -> int:
    """A whole number, also as 1e6 or 1_000_000."""
    try:
        value = int(text) if text.isdecimal() else float(text)
        if 1 <= value <= MOST and value == int(value):
            return int(value)
    except ValueError:
        pass
    raise UsageError(f"{name} is {text!r}; it must be a whole number from 1 to 1e15, as 10000 or 1e6")


def _allowed(name: str, value: str, allowed: Sequence[str]) -> str:
    if value not in allowed:
        raise UsageError(f"{name} is {value!r}; it must be one of {one_of(allowed)}")
    return value


def _machines(options: argparse.Namespace) -> "tuple[list[Machine], str]":
    """The evidence to go by, and whether it is this machine's, in words."""
    from bench.report import folder

    device = options.device and _allowed("device", options.device, DEVICES)
    known = folder.read(options.results)
    if not known:
        raise UsageError(f"{options.results}: no evidence is there; it must be a folder with files <label>-<device>.json")
    machines = [machine for machine in known if device in (None, machine.evidence.targetrl.device)]
    if not machines:
        there = dict.fromkeys(machine.evidence.targetrl.device for machine in known)
        raise UsageError(f"device is {device!r}; it must be one that {options.results} has evidence of: {one_of(there)}")
    name, cores = processor()
    here = measured_on(machines, name, cores)
    names = "; ".join(machine.name for machine in here or machines)
    if here:
        return here, f"By evidence of this processor: {names}."
    return machines, f"No evidence is of this processor ({name}, {cores} logical cores): by that of {names}."


def processor() -> tuple[str, int | None]:
    """This machine's processor, as py-cpuinfo names it, which named it in the fingerprint of evidence too; and its logical cores."""
    import cpuinfo
    import psutil

    return str(cpuinfo.get_cpu_info().get("brand_raw", "an unknown processor")), psutil.cpu_count()


def measured_on(machines: "Sequence[Machine]", name: str, cores: int | None) -> "list[Machine]":
    """Those whose processor and logical cores are these."""
    prints = [(machine, machine.evidence.targetrl.fingerprint) for machine in machines]
    return [machine for machine, print_ in prints if (print_.processor, print_.logical_cores) == (name, cores)]


def _json(advised: "Advice", note: str) -> str:
    import msgspec

    return msgspec.json.format(msgspec.json.encode({"evidence": note} | msgspec.structs.asdict(advised)), indent=1).decode()
