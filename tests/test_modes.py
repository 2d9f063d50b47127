"""What a caller has set PyTorch to, and what other threads do, changes nothing of a run, and is as it was after it."""

import ast
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
import torch

from targetrl_core import VARIANTS, Population, Problem, Run, stream, sweep, train, verify
from targetrl_core.certification import same_bits
from targetrl_core.fused.kernel import operands
from targetrl_core.listing.defaults import OBJECTIVES
from targetrl_core.modes import PROCESS_MODES, flushes_subnormals, new_modes
from targetrl_core.population import Population as Policies

CPU = torch.device("cpu")
ROOT = Path(__file__).parent.parent
HERE = [variant.name for variant in VARIANTS if variant.unsupported(Problem(steps=3), CPU, 8) is None]
N = 6000
"""Policies enough that, of two threads that share anything, each finds the other's."""


@contextmanager
def setting(read: Callable[[], Any], write: Callable[[Any], object], value: object) -> Iterator[None]:
    """A setting of the process, which has to be as it was set when what is done within is done."""
    before = read()
    write(value)
    try:
        yield
        assert read() == value
    finally:
        write(before)


def default_dtype(dtype: torch.dtype) -> AbstractContextManager[None]:
    """Another default dtype."""
    return setting(torch.get_default_dtype, torch.set_default_dtype, dtype)


def default_device() -> AbstractContextManager[None]:
    """Another default device: what has no numbers stands for any that is not the CPU."""

    def write(device: torch.device) -> None:
        torch.set_default_device(None if device == CPU else device)

    return setting(torch.get_default_device, write, torch.device("meta"))


def products() -> AbstractContextManager[None]:
    """Float32 matrices multiplied in less."""
    return setting(torch.get_float32_matmul_precision, torch.set_float32_matmul_precision, "medium")


def library_products() -> AbstractContextManager[None]:
    """The same by the newer setting of one library."""
    library: Any = torch.backends.mkldnn
    return setting(lambda: library.matmul.fp32_precision, lambda value: setattr(library.matmul, "fp32_precision", value), "bf16")


def deterministic() -> AbstractContextManager[None]:
    """Deterministic algorithms alone."""
    return setting(torch.are_deterministic_algorithms_enabled, torch.use_deterministic_algorithms, value=True)


MODES: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    "bfloat16": lambda: default_dtype(torch.bfloat16),
    "float16": lambda: default_dtype(torch.float16),
    "float64": lambda: default_dtype(torch.float64),
    "default device": default_device,
    "device": lambda: torch.device("meta"),
    "inference": torch.inference_mode,
    "no grad": torch.no_grad,
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "products": products,
    "library products": library_products,
    "deterministic": deterministic,
    "flushing": lambda: setting(flushes_subnormals, torch.set_flush_denormal, value=True),
    "anomaly": lambda: torch.autograd.set_detect_anomaly(True),
}


def trained(variant: str, objective: str, n: int = 8, seed: int = 3, steps: int = 4) -> Run:
    """A recorded run that goes on from another."""
    problem = Problem(objective=objective, steps=steps)  # type: ignore[arg-type]
    first = train(problem, Population.initialise(n, seed=seed), variant=variant, record=True)
    return train(problem, first.population, variant=variant, record=True)


def same(first: Run, second: Run) -> bool:
    """Whether two runs have the same bits, those of what was recorded too."""
    assert first.history is not None
    assert second.history is not None
    return (
        same_bits(first.population, second.population)
        and torch.equal(first.history, second.history)
        and torch.equal(first.outputs, second.outputs)
    )


@pytest.mark.parametrize("variant", HERE)
def test_a_run_has_the_same_bits_in_every_mode(variant: str) -> None:
    """Each variant trains to the same bits whatever mode PyTorch is in, leaves the mode as it was, and trains the same afterwards."""
    objectives = OBJECTIVES if "compiled" not in variant else OBJECTIVES[:1]
    for objective in objectives:
        right = trained(variant, objective)
        for name, mode in MODES.items():
            with mode():
                actual = trained(variant, objective)
            assert same(actual, right), name
        assert same(trained(variant, objective), right)


@pytest.mark.parametrize("mode", list(MODES))
def test_the_examination_is_the_same_in_every_mode(mode: str) -> None:
    """What `verify`, `stream` and `sweep` say does not depend on the mode that PyTorch is in."""
    problem = Problem(objective="pathwise", steps=5)
    *_, right = stream(problem, 3000, chunk=1000)
    with MODES[mode]():
        report = verify(problem, Population.initialise(20), variant="batched")
        *_, whole = stream(problem, 3000, chunk=1000)
        best = sweep(problem, lr=[0.01, 0.1], target=[0.3, 0.8]).distance.to_numpy()
    assert report.identical, report.reasons
    assert whole.checksum == right.checksum
    assert (best == sweep(problem, lr=[0.01, 0.1], target=[0.3, 0.8]).distance.to_numpy()).all()


def test_modes_are_put_back_when_a_run_fails() -> None:
    """What fails within the modes of a new process leaves the caller's as they were."""

    def fail() -> None:
        assert torch.get_default_dtype() == torch.float32
        raise RuntimeError("on purpose")

    with default_dtype(torch.float64), torch.inference_mode():
        with pytest.raises(RuntimeError, match="on purpose"), new_modes():
            fail()
        assert torch.is_inference_mode_enabled()
        assert torch.get_default_dtype() == torch.float64


def test_modes_of_the_process_are_put_back_by_the_last_that_ran() -> None:
    """Where runs of several threads overlap, none finds the caller's modes, and all of them are back when the last is done."""
    inside, before_end = Barrier(2), Barrier(2)

    def first() -> None:
        with new_modes():
            inside.wait()
        before_end.wait()

    def second() -> torch.dtype:
        with new_modes():
            inside.wait()
            before_end.wait()  # the first has left by now
            return torch.get_default_dtype()

    with default_dtype(torch.float64), ThreadPoolExecutor(2) as pool:
        done, seen = pool.submit(first), pool.submit(second)
        done.result()
        assert seen.result() == torch.float32
        assert torch.get_default_dtype() == torch.float64


def test_every_mode_of_the_process_is_as_a_new_process_has_it() -> None:
    """What is called the mode of a new process is what this one has, which set none."""
    for mode in PROCESS_MODES:
        assert mode.read() == mode.new, mode.name


@pytest.mark.parametrize("variant", HERE)
def test_threads_train_as_one_after_another(variant: str) -> None:
    """Four threads that train at the same time, each its own policies, come to the bits of one after another."""
    n = 4 if variant in ("eager", "compiled") else N
    right = [trained(variant, "detached", n, seed) for seed in range(8)]
    with ThreadPoolExecutor(4) as pool:
        for run, expected in zip(pool.map(lambda seed: trained(variant, "detached", n, seed), range(8)), right, strict=True):
            assert same(run, expected)


def test_threads_that_prepare_at_the_same_time_train_as_one_after_another() -> None:
    """A variant that is prepared by four threads at once, for a problem that is new to it, trains what it has to."""
    for variant in HERE:
        n = 4 if variant in ("eager", "compiled") else 64
        with ThreadPoolExecutor(4) as pool:
            runs = list(pool.map(lambda seed: trained(variant, "pathwise", n, seed, steps=3), range(4)))  # noqa: B023 — done before the next
        assert all(same(run, trained(variant, "pathwise", n, seed, steps=3)) for seed, run in enumerate(runs)), variant


MAKERS = {"tensor", "as_tensor", "zeros", "ones", "empty", "full", "arange", "linspace", "logspace", "rand", "randn", "randint", "randperm"}
NEEDED = {"Generator": {"device"}, "load": {"map_location"}} | {maker: {"dtype", "device"} for maker in MAKERS}
"""What a call of torch has to be told, as it depends on a mode where it is not."""


def test_every_tensor_is_made_with_its_dtype_and_device() -> None:
    """No tensor of the product takes the default dtype or device: it would be another in another mode."""
    vague = [
        f"{path.relative_to(ROOT)}:{node.lineno}: torch.{node.func.attr}"
        for package in ("targetrl_core", "bench")
        for path in sorted((ROOT / package).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "torch"
        and not NEEDED.get(node.func.attr, set()) <= {keyword.arg for keyword in node.keywords}
    ]
    assert not vague


@pytest.mark.parametrize(
    ("tensor", "what"),
    [
        (torch.zeros(4, dtype=torch.float64), r"torch.float64 \[4\] on cpu"),
        (torch.zeros(5), r"torch.float32 \[5\] on cpu"),
        (torch.zeros(2, 2), r"torch.float32 \[2, 2\] on cpu"),
        (torch.zeros(8)[::2], r"torch.float32 \[4\] on cpu"),
        (torch.zeros(4, device="meta"), r"torch.float32 \[4\] on meta"),
        (torch.frombuffer(bytearray(20), dtype=torch.uint8)[1:17].view(torch.uint8), r"torch.uint8 \[16\] on cpu"),
        (torch.frombuffer(bytearray(20), dtype=torch.float32, count=4, offset=1), r"torch.float32 \[4\] on cpu"),
    ],
)
def test_a_kernel_is_given_no_address_of_what_does_not_fit(tensor: torch.Tensor, what: str) -> None:
    """A tensor of another dtype, shape or device, with gaps, or that begins within a number, is refused before its address is taken."""
    with pytest.raises(ValueError, match=rf"the kernel is given {what}; it must be torch.float32 \[4\], contiguous and aligned, on cpu"):
        operands([torch.zeros(4), tensor], (4,), CPU)


def test_populations_are_the_same_in_every_mode() -> None:
    """A population is made of the same bits, and a problem of the same numbers, whatever mode PyTorch is in."""
    right = Policies.initialise(100, seed=5)
    for mode in MODES.values():
        with mode():
            population, problem = Policies.initialise(100, seed=5), Problem(target=0.7, lr=[0.1, 0.2])
        assert same_bits(population, right)
        assert problem.constants(CPU).lr.tolist() == Problem(lr=[0.1, 0.2]).constants(CPU).lr.tolist()
