"""A large set of evidence files that nothing measured: many devices, 500 rows each, for tests of what shows them."""

import json
from pathlib import Path
from typing import Any

from targetrl_core.names import ARITHMETICS, DEVICES
from tests.some_evidence import CELL, evidence, process, row

VARIANTS = [f"variant-{letter}" for letter in "abcdefghij"]
SIZES = (1, 100, 10_000, 100_000, 1_000_000)
PROBLEMS = [(objective, arithmetic, steps) for objective in ("detached", "pathwise") for arithmetic in ARITHMETICS for steps in (50, 200)]
LIMITS = {"additions": 1e12, "multiplications": 1e12, "divisions": 2e11, "roots": 1e11, "copied_bytes": 3e10}


def large_set(folder: Path, devices: int = 10) -> int:
    """Write the files; returns how many rows all of them have, with and without a number."""
    total = 0
    for number in range(devices):
        content = _content(number)
        total += len(content["benchmarks"]) + len(content["targetrl"]["absent"])
        (folder / f"machine-{number}-{_device(number)}.json").write_text(json.dumps(content))
    return total


def _device(number: int) -> str:
    return DEVICES[number % len(DEVICES)]


def _content(number: int) -> dict[str, Any]:
    rows = [
        row(variant, n, _seconds(number, index, n, steps), objective=objective, arithmetic=arithmetic, steps=steps)
        for objective, arithmetic, steps in PROBLEMS
        for index, variant in enumerate(VARIANTS)
        for n in SIZES
    ]
    rows += [
        row(variant, 1000, [2.0 + index, 2.1 + index], question="cold start", cache=cache, processes=[process(0.5 + index, 0.2)] * 2)
        for index, variant in enumerate(VARIANTS)
        for cache in ("empty", "warm")
    ]
    absent = [
        {"name": f"test_steady_state[{n}]", "kind": "not measured", "reason": f"memory does not hold {n:,} policies",
         "cell": CELL | {"variant": variant, "policies": n}}
        for variant in VARIANTS
        for n in (10**7, 10**8, 10**9, 10**10, 10**11, 10**12, 10**13, 10**14)
    ]  # fmt: skip
    work = [
        {"objective": objective, "optimizer": "adam", "arithmetic": arithmetic, "additions": 10, "multiplications": 10, "divisions": 2,
         "roots": 1, "moved_bytes": 32}
        for objective, arithmetic in dict.fromkeys(problem[:2] for problem in PROBLEMS)
    ]  # fmt: skip
    return {"benchmarks": rows} | {
        "targetrl": evidence(label=f"machine-{number}", device=_device(number), absent=absent, limits=LIMITS, work=work)["targetrl"]
    }


def _seconds(number: int, index: int, n: int, steps: int) -> list[float]:
    """Rounds of a call: dispatch, then work, other on each device and by each variant."""
    middle = 1e-4 * (index + 1) + n * steps * 1e-10 * (1 + number / 5) * (1 + index % 4)
    return [middle * (1 + 0.01 * k) for k in range(7)]
