"""docs/objectives.md: what each objective does, every number on it from a run."""

import textwrap
from collections.abc import Sequence

from bench.docs import basins, courses
from bench.docs.courses import SETTINGS, Stage
from bench.tables.table import markdown_table

PICTURES = ("courses.svg", "shares.svg")

BY_SETTING = dict[str, list[Stage]]


def text() -> str:
    """The page."""
    found = {setting.name: courses.stages(setting.problem) for setting in SETTINGS}
    return "\n".join([_head(), _detached(found["detached"]), _pathwise(found["pathwise"]), _reinforce(found), _sweep(), _again()])


def _head() -> str:
    about = _paragraph(f"""
        A policy puts out o = σ(w·x + b) and is rewarded with r = 1 − k·|o − target|; here k = 5, target = 0.8 and x = 1. Three losses are
        made of that reward, and they do not do the same. Shares are of the {courses.POLICIES:,} policies with seeds 0 to
        {courses.POLICIES - 1:,}, trained by Adam at a learning rate of 0.1 in portable arithmetic, so every machine finds the same numbers.
    """)
    return f"""# What each objective does

{about}
| objective | loss | dL/dz | where that is zero |
| --- | --- | --- | --- |
| `detached`, the listing's | −stop_gradient(r)·log o | −r·(1 − o) | at the zeros of the reward, o = 0.6, and at o = 1 |
| `pathwise` | −r | k·sign(o − target)·o·(1 − o) | nowhere between 0 and 1: it changes sign at the target |
| `reinforce` | −(r(a) − baseline)·log N(a; o, σ), a = o + σ·ε | −(r(a) − baseline)·(ε/σ)·o·(1 − o) | at the target, on average |

The factor o·(1 − o) is zero at o = 0 and o = 1: what has got there stays, whatever the target.

![Outputs of {courses.SHOWN} policies over {courses.SHOWN_STEPS} steps, by objective](courses.svg)

![Share of the policies near the target over steps, by setting](shares.svg)
"""


def _detached(stages: Sequence[Stage]) -> str:
    split, fifty, last = courses.divide(), _after(stages, 50), stages[-1]
    why = _paragraph(f"""
        The reward is taken out of the graph. What is differentiated is log o, and the reward is but its factor: −r·(1 − o) pushes o up
        where the reward is positive, down where it is negative. It is positive above o = {split.output:g}, target − 1/k, and stays so past
        the target: nothing there pulls back. So the start decides. {split.below:.1%} of the policies begin below {split.output:g}, and
        {_share(split.stayed)} are after 50 steps on the side where they began: {fifty.collapsed:.1%} have collapsed to 0,
        {fifty.saturated:.1%} are saturated at 1, and {_share(fifty.at_target)} are at target, on their way through.
    """)
    later = _paragraph(f"""
        In long runs the logit of a policy that collapses falls without end. Below z = −{-courses.overflow():.1f} the derivative of r·log o
        by o, which is r/o, is beyond float32, and the listing as it is written, run on, puts out NaN: half of its collapsing policies do
        by some {courses.median_end()} steps. Here log o is taken as logsigmoid(z) below o = 1e-30, which is the same function, so runs stay
        finite: after {last.steps:,} steps {last.collapsed:.1%} are at 0 and {last.saturated:.1%} at 1.
    """)
    return f"## `detached`: why the listing does not reach its target\n\n{why}\n{_table({'detached': stages})}\n{later}"


def _pathwise(stages: Sequence[Stage]) -> str:
    half, most = courses.first_steps(SETTINGS[1].problem, (0.5, 0.95))
    twenty, fifty, last = _after(stages, 20), _after(stages, 50), stages[-1]
    what = _paragraph(f"""
        The reward itself is differentiated: on whichever side of the target a policy is, it is pulled back. {_by(half, "Half")} and
        {_by(most, "95 %")} have been within 0.02 of it, but the gradient does not shrink near the target, it flips, and Adam's first moment
        carries them past: after {twenty.steps} steps {twenty.at_target:.1%} are there. Moments that average over the flips let them settle:
        {fifty.at_target:.1%} after {fifty.steps} steps, and {_share(last.at_target)} after {last.steps:,}.
    """)
    return f"## `pathwise`: what the prose around the listing describes\n\n{what}\n{_table({'pathwise': stages})}"


def _reinforce(found: BY_SETTING) -> str:
    mine = {name: stages for name, stages in found.items() if name.startswith("reinforce")}

    def near(name: str, steps: int) -> str:
        return f"{_after(mine[name], steps).near:.1%}"

    half, most = courses.first_steps(SETTINGS[2].problem, (0.5, 0.95))
    hundred, last = _after(mine["reinforce"], 100), mine["reinforce"][-1]
    what = _paragraph(f"""
        The policy is stochastic: it acts with a = o + σ·ε and learns from the reward of that action alone (Williams, 1992). In expectation
        the gradient is k·erf((o − target)/(σ√2))·o·(1 − o): that of `pathwise` smoothed over a width of σ, so it does shrink towards the
        target. What one action says of it is mostly noise. With σ = 0.05 and a moving average of the rewards as baseline
        {near("reinforce", 50)} of the policies are within {courses.NEAR:g} of the target after 50 steps and {near("reinforce", 200)} after
        200; without a baseline {near("reinforce, no baseline", 50)} and {near("reinforce, no baseline", 200)}; with the mean of eight
        actions a step {near("reinforce, 8 samples", 50)} and {near("reinforce, 8 samples", 200)}. {_by(half, "Half")} and
        {_by(most, "95 %")} have been within 0.02 of the target once, with σ = 0.05 and the baseline.
    """)
    later = _paragraph(f"""
        Under a constant learning rate the noise stays, and in long runs it grows: Adam divides by the root of its second moment, which
        forgets the large gradients of the way to the target. Its median falls from {hundred.scale:.2f} after {hundred.steps} steps to
        {last.scale:.2f} after {last.steps:,}, and the share near the target from {hundred.near:.1%} to {last.near:.1%}. A wider policy
        (σ = 0.2) sees the kink of the reward through more blur: its gradient at a small distance from the target is about a quarter as
        large, that of one action is as noisy as before, and {near("reinforce, sigma 0.2", 200)} are near after 200 steps.
    """)
    return f"## `reinforce`: the textbook estimator\n\n{what}\n{_table(mine)}\n{later}"


def _sweep() -> str:
    found = basins.swept()
    asked = found.grid.problem
    shares = [count / found.grid.cells for count in found.outcomes]
    what = _paragraph(f"""
        Whether a policy comes to its target depends on the learning rate as well. One for each of {found.grid.cells:,} pairs of both, all
        beginning as seed 0 does, trained for {asked.steps} steps as one population: {shares[0]:.1%} are at target. Where the rate is
        small a policy is still on its way. Where it is large one leap takes it to where o·(1 − o) vanishes, and it stays there: of the
        pairs with a rate of {basins.LARGE:g} or more {basins.lost(found):.1%} have collapsed to 0 or are saturated at 1.
    """)
    return f"""## Constants as a picture

{what}
    {basins.command()}

![Distance from the target by learning rate and target, under `{asked.objective}`]({basins.PICTURE})
"""


def _after(stages: Sequence[Stage], steps: int) -> Stage:
    return next(stage for stage in stages if stage.steps == steps)


def _table(settings: dict[str, Sequence[Stage]] | BY_SETTING) -> str:
    lines = [
        (name, f"{stage.steps:,}", *map(_share, (stage.at_target, stage.near, stage.collapsed, stage.saturated)))
        for name, stages in settings.items()
        for stage in stages
    ]
    headers = ("setting", "steps", "within 0.02", f"within {courses.NEAR:g}", "collapsed", "saturated")
    return markdown_table(lines, headers) + "\n"


def _share(value: float) -> str:
    return f"{value:.2%}"


def _by(step: int | None, who: str) -> str:
    return f"{who} of the policies never" if step is None else f"{who} of the policies by step {step}"


def _paragraph(said: str) -> str:
    return textwrap.fill(" ".join(said.split()), 140, break_on_hyphens=False) + "\n"


def _again() -> str:
    return """## Making this page

    make docs    # or: python -m bench upkeep docs

makes this page and its pictures anew, and a test fails where a number on it is not what the code computes. One line of its tables:

    targetrl train --population 2e5 --objective pathwise --arithmetic portable --steps 50
"""
