"""Runs the Metal launcher on the CPU: what Metal Shading Language adds to C++, as a shim, and a thread after another."""

import ctypes
import subprocess
import tempfile
from pathlib import Path

import torch
from torch import Tensor

from targetrl_core import Population, Problem
from targetrl_core.fused.kernel import KernelTask, constants_of, correction_of, draw_of, gpu_source, kernel_of
from targetrl_core.fused.mps import buffers
from targetrl_core.history import History
from targetrl_core.step import begin, end, rule_for

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
inline uint mulhi(uint a, uint b) { return uint(uint64_t(a) * b >> 32); }
template <class To, class From> To as_type(From from) { To to; std::memcpy(&to, &from, 4); return to; }
// As far off as a root may be before its correction: an ulp, up or down.
namespace precise { inline float sqrt(float x) { float s = std::sqrt(x); return std::nextafter(s, as_type<uint>(x) & 1 ? 0.0f : 4.0f); } }
}
"""

EVERY_THREAD = """
extern "C" void every_thread(void **b) {
  float **f = (float **)b;
  const long *numbers = (const long *)b[0], *seeds = (const long *)b[10];
  for (long i = 0; i < numbers[0]; ++i)
    train(numbers, f[1], f[2], f[3], f[4], f[5], f[6], f[7], f[8], f[9], seeds, f[11], f[12], f[13], f[14], f[15], f[16], uint(i));
}
"""


def metal_train(problem: Problem, population: Population) -> tuple[Population, Tensor]:
    """The trained population and its recorded outputs [steps, N], by the Metal launcher."""
    device = torch.device("cpu")
    rule = rule_for(problem, population, compiled=True)
    state = begin(rule, population.clone(), problem.constants(device))
    history = History.empty(problem.steps, population.n, device)
    task = KernelTask(
        n=population.n,
        steps=problem.steps,
        state=state,
        constants=constants_of(problem, device),
        correction=correction_of(problem, population.age, device),
        draw=draw_of(problem, population.age),
        history=history,
    )
    bound = buffers(task)
    library = _library(gpu_source("mps.metal", kernel_of(rule, per_policy=False)))
    library.every_thread((ctypes.c_void_p * len(bound))(*(buffer.data_ptr() for buffer in bound)))
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
