"""What a fresh process does for a cold start: import, prepare, call. Started by ``fresh.py``, with a folder that its task lies in.

torch is imported where its time is measured, so nothing here imports it first.
"""

import random
import sys
import time
from pathlib import Path

MOST_CALLS, CALL_SECONDS = 20, 0.2
"""How often, and about how long, a trained population is made again once everything is warm."""

TASK, RESULT = "task.pt", "result.pt"
"""In the folder of a process: what it is to train, from where in each call, and what it measured and made of it."""


def main() -> int:
    """Measure the phases, and save them and the trained populations, which the parent checks; a line says that the first one is trained."""
    folder = Path(sys.argv[1])
    begun = time.perf_counter()
    import torch

    from targetrl_core import Population, Problem, devices, variants

    import_seconds = time.perf_counter() - begun
    from bench.timing.memory import peak_growth
    from bench.timing.returned import Returned

    task = torch.load(folder / TASK, map_location="cpu", mmap=True, weights_only=False)
    device = torch.device(task["device"])
    problem, starts = Problem(**task["problem"]), [Population(**state) for state in task["starts"]]
    n = starts[0].n
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
    trained = [vars(result.trained.to("cpu")) for result in results]
    faults = [fault for result in results for fault in result.faults()]  # by now: looking at a result may be what trains it
    phases = {
        "import_seconds": import_seconds,
        "prepare_seconds": prepare_seconds,
        "first_call_seconds": first_call_seconds,
        "second_call_seconds": second_call_seconds,
        "steady_seconds": steady_seconds,
        "peak_memory_bytes": peak,
    }
    torch.save({"phases": phases, "faults": faults, "trained": trained}, folder / RESULT)
    return 0


if __name__ == "__main__":
    sys.exit(main())
