// Operations per second of a GPU: every thread works on chains of its own, in registers.

typedef float real;
#define FUNCTION static __device__ __forceinline__
FUNCTION real fused(real a, real b, real c) { return __fmaf_rn(a, b, c); }
FUNCTION real root(real a) { return __fsqrt_rn(a); }

// The approximations are within 2 units in the last place as they are: a step of Newton's would be one too many for a limit.
FUNCTION real newton_reciprocal(real a) {
  real result;
  asm volatile("rcp.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(a));
  return result;
}

FUNCTION real newton_root(real a) {
  real result;
  asm volatile("rsqrt.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(a));
  return a * result;
}

#include "limit.h"

extern "C" __global__ void run(long long operation, long long times, float *kept) {
  real chain[COPIES];
#pragma unroll
  for (int j = 0; j < COPIES; ++j) chain[j] = 1.1f + 1.0e-3f * (threadIdx.x + j);
  work((int)operation, chain, COPIES, times);
  float sum = 0.0f;
#pragma unroll
  for (int j = 0; j < COPIES; ++j) sum += chain[j];
  if (sum == -1.0f) *kept = sum;  // never so, but the compiler has to leave the work in
}
