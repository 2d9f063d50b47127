"""What a fresh process does for a cold start: import, prepare, call. Started by ``fresh.py``, with its task on standard input.

torch is imported where its time is measured, so nothing here imports it first.
"""

import json
import sys
import time
from typing import Any

MOST_CALLS, CALL_SECONDS = 20, 0.2
"""How often, and about how long, a trained population is made again once everything is warm."""


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

    device = torch.device(task["device"])
    problem, n = Problem(**task["problem"]), task["policies"]
    starts = Population.initialise(n + MOST_CALLS + 2, seed=0, start=task["start"])
    clock = devices.synchronized_clock

    begun = clock()
    train = variants.find_variant(task["variant"]).prepare(problem, device, n)
    prepare_seconds = clock() - begun

    trained: list[Population] = []

    def call() -> float:
        first = len(trained)
        population = starts.slice(first, first + n).clone().to(device)
        begun = clock()
        result = train(population, None)
        seconds = clock() - begun
        trained.append(result.to("cpu"))
        return seconds

    first_call_seconds = call()
    print("trained", flush=True)  # where the parent's clock stops
    second_call_seconds = call()
    steady_seconds = [call() for _ in range(2)]
    while len(trained) < MOST_CALLS and sum(steady_seconds) < CALL_SECONDS:
        steady_seconds.append(call())
    population = starts.slice(0, n).clone().to(device)
    peak = peak_growth(lambda: train(population, None), device)
    torch.save([(list(result.tensors().values()), result.age) for result in trained], task["results"])
    phases = {
        "import_seconds": import_seconds,
        "prepare_seconds": prepare_seconds,
        "first_call_seconds": first_call_seconds,
        "second_call_seconds": second_call_seconds,
        "steady_seconds": steady_seconds,
        "peak_memory_bytes": peak,
    }
    print(json.dumps(phases))
    return 0


if __name__ == "__main__":
    sys.exit(main())
