"""What a fresh process does for a cold start: import, prepare, call. Started by ``fresh.py``, with its task on standard input.

torch is imported where its time is measured, so nothing here imports it first.
"""

import json
import random
import sys
import time
from pathlib import Path
from typing import Any

MOST_CALLS, CALL_SECONDS = 20, 0.2
"""How often, and about how long, a trained population is made again once everything is warm."""

STARTS, RESULTS = "starts.pt", "trained.pt"
"""In the folder of a process: where the population of each call begins, and what it became; attributes by name."""


def main() -> int:
    """Measure the phases, save the trained populations for the parent to check, and print the phases as JSON.

    A line comes before it, as soon as the first population is trained.
    """
    task: dict[str, Any] = json.load(sys.stdin)
    begun = time.perf_counter()
    import torch

    from targetrl_core import Population, Problem, devices, variants

    import_seconds = time.perf_counter() - begun
    from bench.timing.memory import peak_growth
    from bench.timing.rounds import Returned

    device = torch.device(task["device"])
    problem, n = Problem(**task["problem"]), task["policies"]
    folder = Path(task["folder"])
    starts = [Population(**state) for state in torch.load(folder / STARTS, map_location="cpu", mmap=True, weights_only=False)]
    clock = devices.synchronized_clock

    begun = clock()
    train = variants.find_variant(task["variant"]).prepare(problem, device, n)
    prepare_seconds = clock() - begun

    results: list[Returned] = []

    def call() -> float:
        population, place = starts[len(results)].clone().to(device), random.SystemRandom().randrange(n)
        begun = clock()
        result = Returned.read(train(population, None), place)
        seconds = clock() - begun
        results.append(result)
        return seconds

    first_call_seconds = call()
    print("trained", flush=True)  # where the parent's clock stops
    second_call_seconds = call()
    steady_seconds = [call() for _ in range(2)]
    while len(results) < MOST_CALLS and sum(steady_seconds) < CALL_SECONDS:
        steady_seconds.append(call())
    population = starts[-1].clone().to(device)
    peak = peak_growth(lambda: train(population, None), device)
    states = [vars(result.trained.to("cpu")) for result in results]
    faults = [fault for result in results for fault in result.faults()]  # by now: looking at a result may be what trains it
    torch.save(states, folder / RESULTS)
    phases = {
        "import_seconds": import_seconds,
        "prepare_seconds": prepare_seconds,
        "first_call_seconds": first_call_seconds,
        "second_call_seconds": second_call_seconds,
        "steady_seconds": steady_seconds,
        "peak_memory_bytes": peak,
    }
    print(json.dumps({"phases": phases, "faults": faults}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
