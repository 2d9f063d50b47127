"""What larger worlds would be, on paper: from what a few ranks were measured to do, and assumptions that stand beside the figures."""

import math
from collections.abc import Iterable
from statistics import NormalDist

from bench.report.tables import markdown_table
from bench.scaling.ratio import Scaling
from targetrl_core.sharding.slices import slice_of

WORLDS = (2, 4, 8, 16, 64, 256, 1024)
POPULATIONS = (10**9, 10**11, 10**13)
HOP_SECONDS = 1e-3
"""What a step of the sum over a network is taken to cost, where over the loopback less was measured."""


def seconds(found: Scaling, n: int, ranks: int) -> float:
    """From the word to the sum: the slowest rank's slice, and a sum of as many steps as a binary tree has levels."""
    longest = max(len(slice_of(n, shard, ranks)) for shard in (0, ranks // 2, ranks - 1))
    hop = max(HOP_SECONDS, found.sum_seconds / math.ceil(math.log2(found.ranks)))
    sums = hop * math.ceil(math.log2(ranks)) if ranks > 1 else 0.0
    return longest / found.policies_per_second * math.exp(found.spread * slowest(ranks)) + sums


def slowest(ranks: int) -> float:
    """Where the largest of as many normal numbers is expected, in standard deviations: Blom, 1958."""
    return NormalDist().inv_cdf((ranks - 0.375) / (ranks + 0.25)) if ranks > 1 else 0.0


def text(found: Scaling) -> str:
    """The table, and what is assumed."""
    return f"{table(found)}\n\n{assumptions(found)}"


def table(found: Scaling) -> str:
    """Efficiency by ranks and population: without the start of the processes, and with it."""
    headers = ("ranks", *(f"N = {n:.0e}".replace("e+", "e") for n in POPULATIONS))
    return markdown_table(([f"{ranks:,}", *_cells(found, ranks)] for ranks in WORLDS), headers)


def _cells(found: Scaling, ranks: int) -> Iterable[str]:
    for n in POPULATIONS:
        alone, together = seconds(found, n, 1), seconds(found, n, ranks)
        started = (alone + found.start_seconds) / (ranks * (together + found.start_seconds))
        yield f"{alone / (ranks * together):.1%} ({started:.1%})"


def assumptions(found: Scaling) -> str:
    """What the figures rest on."""
    return (
        f"Measured: {found.policies_per_second:,.0f} policies a second and rank ({found.task.steps} steps, {found.ranks} ranks), "
        f"{found.spread:.2%} between the ranks of a round, {found.start_seconds:.2f} s to start, "
        f"{found.sum_seconds * 1e3:.2f} ms for the sum.\n"
        f"Assumed: every rank has a core of its own as fast as those, whatever the others do; ranks differ as those do, "
        f"log-normally, and the slowest is waited for; the sum takes at least {HOP_SECONDS * 1e3:g} ms for each level of a binary tree; "
        f"starting takes as long for any number of ranks, and one rank has to start as well (in brackets: with it).\n"
    )
