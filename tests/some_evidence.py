"""A small evidence file, and copies of real ones, for tests of what reads them."""

import subprocess
from pathlib import Path
from typing import Any

from bench.evidence.files import RESULTS

EVIDENCE = Path(__file__).parent / "evidence"
"""Files that runs left in results/ once, unedited: what lies there now is that of whoever measured last."""

CELL = {
    "question": "steady state",
    "steps": 50,
    "objective": "detached",
    "optimizer": "adam",
    "arithmetic": "native",
}


def results_changed() -> bool:
    """Whether results/ holds other files than the commit does, as it does once its owner has measured."""
    command = ["git", "status", "--porcelain", RESULTS.name]
    try:
        ran = subprocess.run(command, cwd=RESULTS.parent, capture_output=True, check=False)
    except FileNotFoundError:
        return False
    return bool(ran.stdout)


def row(variant: str, n: int, seconds: list[float], **more: Any) -> dict[str, Any]:  # noqa: ANN401 — fields of the schema
    """A row of the file."""
    mean = sum(seconds) / len(seconds)
    facts = CELL | {"variant": variant, "policies": n, "identity": "bounded", "threads": 2, "ulp": {"weight": 2.5}} | more
    name = f"test_{str(facts['question']).replace(' ', '_')}[native-{n}-{variant}]"
    stats = {"data": seconds, "mean": mean, "stddev": 0.0, "rounds": len(seconds), "ops": 1 / mean}
    return {"name": name, "fullname": f"bench/{name}", "stats": stats, "extra_info": facts}


def process(seconds: float, prepare: float) -> dict[str, Any]:
    """What a fresh process reports."""
    return {
        "import_seconds": 1.0, "prepare_seconds": prepare, "first_call_seconds": 0.5, "second_call_seconds": 0.25,
        "steady_seconds": [seconds], "peak_memory_bytes": 3 * 2**20,
    }  # fmt: skip


def evidence(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 — fields of targetrl
    """The file's content: three rows, two cold starts, and an absent row with a hostile reason; ``changes`` are fields of targetrl."""
    cold = {"question": "cold start", "policies": 1000}
    rows = [
        row("eager", 1, [0.005, 0.010, 0.015]),
        row("batched", 1, [0.0025, 0.005, 0.0075]),
        row("batched", 100, [0.0025, 0.005, 0.0075]),
        row("batched", 1000, [2.0, 2.1], **cold, processes=[process(0.9048374, 0.1), process(1.0, 0.1), process(1.1051709, 0.1)]),
        row("batched-compiled", 1000, [9.0, 9.1], **cold, cache="empty", processes=[process(0.5, 8.1), process(0.5759, 8.1)]),
    ]
    absent = [
        {
            "name": "test_steady_state[native-100-eager]", "kind": "withheld", "reason": "=weight | of <b>1</b> policies",
            "cell": CELL | {"variant": "eager", "policies": 100},
        }
    ]  # fmt: skip
    part = {
        "schema": 2,
        "label": "some",
        "device": "cpu",
        "fingerprint": {
            "processor": "Some CPU", "cores": 1, "logical_cores": 2, "memory_gib": 8.0, "gpu": None, "driver": None, "cuda": None,
            "torch": "2.13", "cpu_capability": "AVX2", "threads": 2, "python": "3.11", "system": "Linux", "compiler": None,
            "compile_flags": None, "commit": "0123456789abcdef", "dirty": False,
        },
        "environment": {
            "seconds": 9.0, "busy_elsewhere": 0.01, "stolen": None, "load_before": 0.1, "governor": None, "turbo": None, "throttled": None,
            "on_battery": None, "gpu_processes": None, "gpu_throttled": None, "thread_settings": {},
        },
        "clock": {"resolution_seconds": 1e-7, "work": [1, 4], "seconds": [0.004, 0.016], "unsynchronised_seconds": 0.016, "failures": []},
        "absent": absent,
    }  # fmt: skip
    return {"benchmarks": rows, "targetrl": part | changes}
