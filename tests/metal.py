"""Runs the Metal launcher on the CPU: what Metal Shading Language adds to C++, as a shim, and a thread after another."""

import ctypes
import subprocess
import tempfile
from pathlib import Path

import torch
from torch import Tensor

from targetrl_core import Population, Problem
from targetrl_core.fused.gpu_source import gpu_source
from targetrl_core.fused.kernel import Task, constants_of, kernel_of
from targetrl_core.fused.mps import arguments
from targetrl_core.history import History
from targetrl_core.step import begin, correction_table, end, rule_for

SHIM = """
#include <cmath>
#include <cstdint>
#include <cstring>
typedef uint32_t uint;
#define device
#define constant const
#define thread
#define kernel extern "C"
namespace metal {
using std::fabs; using std::fma; using std::max;
template <class To, class From> To as_type(From from) { To to; std::memcpy(&to, &from, 4); return to; }
// As far off as a root may be before its correction: an ulp, up or down.
namespace precise { inline float sqrt(float x) { float s = std::sqrt(x); return std::nextafter(s, as_type<uint>(x) & 1 ? 0.0f : 4.0f); } }
}
"""

EVERY_THREAD = """
extern "C" void every_thread(const long *n, const long *steps, const long *given, const long *seed, float **b) {
  for (long i = 0; i < *n; ++i)
    train(*n, *steps, *given, *seed, b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15],
          b[16], b[17], b[18], b[19], b[20], b[21], uint(i));
}
"""


def metal_train(problem: Problem, population: Population) -> tuple[Population, Tensor]:
    """The trained population and its recorded outputs [steps, N], by the Metal launcher."""
    device = torch.device("cpu")
    rule = rule_for(problem, population, compiled=True)
    state = begin(rule, population.clone(), problem.constants(device))
    history = History.empty(problem.steps, population.n, device)
    task = Task(
        n=population.n,
        steps=problem.steps,
        state=state,
        constants=constants_of(problem, device),
        correction=correction_table(problem, population.age, device),
        history=history,
    )
    *numbers, buffers = arguments(task)
    library = _library(gpu_source("mps.metal", kernel_of(rule, per_policy=False)))
    addresses = (ctypes.c_void_p * len(buffers))(*(buffer.data_ptr() for buffer in buffers))
    library.every_thread(*(ctypes.byref(ctypes.c_long(number)) for number in numbers), addresses)
    return end(rule, population, state, problem.steps), history.outputs


def _library(source: str) -> ctypes.CDLL:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "metal_stdlib").write_text(SHIM, encoding="utf-8")
        (Path(folder) / "kernel.cpp").write_text(source + EVERY_THREAD, encoding="utf-8")
        quiet = ["-Wno-attributes", "-Wno-unknown-pragmas"]
        command = [
            "c++",
            "-std=c++17",
            "-O1",
            "-ffp-contract=off",
            *quiet,
            "-fPIC",
            "-shared",
            "-I",
            folder,
            "kernel.cpp",
            "-o",
            "kernel.so",
        ]
        subprocess.run(command, cwd=folder, check=True)
        return ctypes.CDLL(str(Path(folder) / "kernel.so"))
