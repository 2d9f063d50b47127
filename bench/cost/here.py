"""Which of the evidence was measured on a machine like this one: py-cpuinfo, which pytest-benchmark brings, named it there too."""

from collections.abc import Sequence

import cpuinfo
import psutil

from bench.evidence.machine import Machine


def processor() -> tuple[str, int | None]:
    """This machine's processor, as the fingerprint of evidence names it, and its logical cores."""
    return str(cpuinfo.get_cpu_info().get("brand_raw", "an unknown processor")), psutil.cpu_count()


def measured_here(machines: Sequence[Machine], name: str, cores: int | None) -> list[Machine]:
    """Those whose processor and logical cores are these."""
    found = [(machine, machine.evidence.targetrl.fingerprint) for machine in machines]
    return [machine for machine, print_ in found if (print_.processor, print_.logical_cores) == (name, cores)]
