"""The fused kernel: one body, every build of it, and what a launcher promises beside the bits."""

import platform
import shutil
import subprocess
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch

from targetrl_core import Population, Problem, UsageError, train
from targetrl_core.certification import same_bits
from targetrl_core.fused import compiler, cpu
from targetrl_core.fused.kernel import Kernel, gpu_source, kernel_of
from targetrl_core.history import History
from targetrl_core.listing.defaults import OBJECTIVES
from targetrl_core.listing.outcomes import first_steps, thresholds
from targetrl_core.names import ARITHMETICS, OPTIMIZERS
from targetrl_core.step import rule_for
from targetrl_core.variants.fused import FUSED, prepare, prepare_to_end
from tests.metal import metal_train

CPU = torch.device("cpu")
NVCC = shutil.which("nvcc")
KINDS = list(product(OBJECTIVES, OPTIMIZERS, ARITHMETICS))
ABILITIES = Path("/proc/cpuinfo").read_text(encoding="utf-8") if Path("/proc/cpuinfo").exists() else ""
BUILDS = {
    "AVX-512": ("-mavx512f", "-mavx512dq", "-mfma"),
    "AVX2": ("-mavx2", "-mfma"),
    "AVX": ("-mavx",),
    "SSE2": (),
    "scalar": ("-DVECTOR_BYTES=4",),
}


def problem_of(objective: Any, optimizer: Any, arithmetic: Any, **constants: Any) -> Problem:  # noqa: ANN401
    """A problem whose learning rate suits its optimiser."""
    return Problem(objective=objective, optimizer=optimizer, arithmetic=arithmetic, lr=0.1 if optimizer == "adam" else 0.5, **constants)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="these are builds for x86-64")
@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_build_has_the_same_bits(objective: str, build: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Built for wide vectors, narrow ones or none, grouped in whatever way, the portable kernel trains to one set of bits."""
    if build.startswith("AVX") and build.lower().replace("-", "") not in ABILITIES:
        pytest.skip(f"this processor has no {build}")
    problem, population = problem_of(objective, "adam", "portable"), Population.initialise(1003, seed=51)
    expected = train(problem, population, variant="batched").population
    plain = cpu.built
    monkeypatch.setattr(cpu, "built", lambda kernel: plain(kernel, layout=("3", "1"), flags=BUILDS[build]))
    assert same_bits(expected, prepare(problem, CPU, population.n)(population.clone(), None))


@pytest.mark.parametrize(("objective", "optimizer", "arithmetic"), KINDS)
@pytest.mark.parametrize("seed", [0, -3, 2**32 - 500])
def test_a_population_begins_in_the_kernel(objective: str, optimizer: str, arithmetic: str, seed: int) -> None:
    """Policies that the kernel starts itself end at the bits, first steps and outputs of those that were made for it, time and again."""
    problem = problem_of(objective, optimizer, arithmetic, steps=30)
    to_end = prepare_to_end(problem, CPU, 1003)
    for first in (seed, seed + 17):
        run = train(problem, Population.initialise(1003, seed=first), variant="fused", record=True)
        ended = to_end(range(first, first + 1003))
        assert same_bits(ended.population, run.population)
        assert run.history is not None
        history = type("History", (), {"outputs": run.history})
        assert torch.equal(ended.first_steps.int(), first_steps(problem, history))  # type: ignore[arg-type]
        assert torch.allclose(ended.outputs, run.outputs, rtol=3e-7)


@pytest.mark.parametrize("target", [0.8, 0.5, [0.1, 0.3, 0.8, 0.97, 0.999]])
def test_thresholds_decide_as_float64_does(target: Any) -> None:  # noqa: ANN401
    """The outermost float32 outputs at target are at target in float64, and the next ones outwards are not."""
    problem = Problem(target=target)
    limits, exact = thresholds(problem, CPU), torch.as_tensor(target, dtype=torch.float64)
    for limit, outwards in ((limits.low, -torch.inf), (limits.high, torch.inf)):
        beyond = torch.nextafter(limit, torch.full_like(limit, outwards))
        assert bool(((limit.double() - exact).abs() <= 0.02).all())
        assert bool(((beyond.double() - exact).abs() > 0.02).all())


def test_a_kernel_is_built_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first use builds into the cache, the next ones load from it, and another source or flag is another file."""
    monkeypatch.setenv("TARGETRL_CACHE_DIR", str(tmp_path))
    kernel = kernel_of(rule_for(Problem(), Population.initialise(1), compiled=True), per_policy=False)
    macros = {**kernel.macros(), "VECTORS": "1", "GROUPS": "1"}
    compiler.library("cpu.cpp", macros)
    [first] = tmp_path.glob("kernels/*")
    built = first.stat().st_mtime_ns
    compiler.library("cpu.cpp", macros)
    assert [path.stat().st_mtime_ns for path in tmp_path.glob("kernels/*")] == [built]
    compiler.library("cpu.cpp", {**macros, "GROUPS": "2"})
    assert len(list(tmp_path.glob("kernels/*"))) == 2


def test_a_complaint_of_the_compiler_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the compiler fails, the error names it and its first complaint, and nothing stays behind."""
    monkeypatch.setenv("TARGETRL_CACHE_DIR", str(tmp_path))
    with pytest.raises(UsageError, match=r"could not build cpu.cpp: .*error") as failed:
        compiler.library("cpu.cpp", {"VECTORS": "-1"})
    assert "\n" not in str(failed.value)
    assert not list(tmp_path.glob("kernels/*"))


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the cache's folder cannot be, the error names it and what to set."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("TARGETRL_CACHE_DIR", str(tmp_path / "file" / "cache"))
    with pytest.raises(UsageError, match="file/cache: Not a directory; name a folder that can be written with TARGETRL_CACHE_DIR"):
        compiler.library("cpu.cpp", {"VECTORS": "1", "GROUPS": "1"})


def test_the_kernel_is_handed_nothing_that_does_not_fit() -> None:
    """A population or a history of another size than the constants, steps and policies is refused: the kernel knows addresses alone."""
    run = prepare(Problem(lr=[0.1, 0.2], steps=3), CPU, 2)
    with pytest.raises(ValueError, match="lr has 2 values"):
        run(Population.initialise(3), None)
    for steps, n in ((2, 2), (3, 1)):
        with pytest.raises(ValueError, match=r"it must be torch.float32 \[3, 2\], contiguous"):
            run(Population.initialise(2), History.empty(steps, n, CPU))


def test_without_a_compiler_it_is_not_available(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a compiler on the PATH the variant says so, and train refuses it in one line."""
    monkeypatch.setenv("PATH", "")
    compiler.compiler.cache_clear()
    try:
        assert FUSED.unsupported(Problem(), CPU, 1) == "it needs a C++ compiler (c++, g++, clang++) on the PATH"
        with pytest.raises(UsageError, match="variant fused cannot run here: it needs a C"):
            train(Problem(), Population.initialise(1), variant="fused")
    finally:
        monkeypatch.undo()
        compiler.compiler.cache_clear()


def every_kernel() -> list[Kernel]:
    """Every combination of macros that a rule can ask for."""
    kernels = [Kernel(*values) for values in product((False, True), repeat=len(Kernel._fields))]
    return [
        kernel
        for kernel in kernels
        if not (kernel.shared_moments and not kernel.unit_input)
        and not (kernel.own_betas and not (kernel.adam and kernel.per_policy))
        and not (kernel.pathwise and kernel.reinforce)
        and not ((kernel.baseline or kernel.one_sample) and not kernel.reinforce)
    ]


@pytest.mark.skipif(NVCC is None, reason="needs nvcc")
@pytest.mark.parametrize("portable", [False, True])
def test_cuda_code_is_ieee(portable: bool, tmp_path: Path) -> None:  # noqa: FBT001 — a parameter of pytest's
    """The PTX divides and takes roots correctly rounded, flushes nothing, and fuses only what is fused by name: nothing in portable."""
    kernel = Kernel(*(False,) * len(Kernel._fields))._replace(adam=True, portable=portable, own_betas=True, per_policy=True)
    (tmp_path / "kernel.cu").write_text(gpu_source("cuda.cu", kernel), encoding="utf-8")
    exact = ["--fmad=false", "-prec-div=true", "-prec-sqrt=true", "-ftz=false"]
    subprocess.run(
        [str(NVCC), "-arch=sm_90", "-ptx", *exact, "-o", "kernel.ptx", "kernel.cu"], cwd=tmp_path, check=True, capture_output=True
    )
    ptx = (tmp_path / "kernel.ptx").read_text(encoding="utf-8")
    assert "div.rn.f32" in ptx
    assert "sqrt.rn.f32" in ptx
    assert not [word for word in ("approx", ".ftz", "ex2", "lg2", ".full", "ld.local", ".f64") if word in ptx]
    assert ("fma.rn.f32" in ptx) == (not portable)


@pytest.mark.skipif(NVCC is None, reason="needs nvcc")
def test_every_cuda_kernel_compiles(tmp_path: Path) -> None:
    """Every kernel that a rule can ask for is CUDA C++."""
    names = []
    for index, kernel in enumerate(every_kernel()[::6]):
        (tmp_path / f"{index}.cu").write_text(gpu_source("cuda.cu", kernel), encoding="utf-8")
        names.append(f"{index}.cu")
    subprocess.run([str(NVCC), "-arch=sm_90", "-ptx", *names], cwd=tmp_path, check=True, capture_output=True)


@pytest.mark.parametrize(("objective", "optimizer"), list(product(OBJECTIVES, OPTIMIZERS)))
@pytest.mark.parametrize("x", [1.0, 0.7])
def test_the_metal_kernel_has_the_same_bits(objective: str, optimizer: str, x: float) -> None:
    """Run on the CPU through a shim, with a root that is off by an ulp, the Metal launcher trains to the bits of `batched`."""
    problem = problem_of(objective, optimizer, "portable", x=x, steps=20)
    population = Population.initialise(203, seed=52)
    expected = train(problem, population, variant="batched", record=True)
    trained, outputs = metal_train(problem, population)
    assert same_bits(expected.population, trained)
    assert expected.history is not None
    assert torch.equal(expected.history, outputs)
