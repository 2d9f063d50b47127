// The CUDA launcher: one thread a policy, all steps in one launch. Compiled at run time, which has no standard headers.

typedef float real;
typedef unsigned int word;

#define FUNCTION static __device__ __forceinline__
#define CHANGED(type) type &
#define UNROLLED _Pragma("unroll")

FUNCTION real fused(real a, real b, real c) { return __fmaf_rn(a, b, c); }
FUNCTION real root(real a) { return __fsqrt_rn(a); }
FUNCTION real magnitude(real a) { return fabsf(a); }
FUNCTION real clamped(real a, real low, real high) { return a < low ? low : a > high ? high : a; }
FUNCTION real choose(bool condition, real a, real b) { return condition ? a : b; }
FUNCTION word word_of(real a) { return __float_as_uint(a); }
FUNCTION real real_of(word a) { return __uint_as_float(a); }
FUNCTION real value_of(word a) { return (float)a; }
FUNCTION void multiply(word a, word b, CHANGED(word) high, CHANGED(word) low) {
  high = __umulhi(a, b);
  low = a * b;
}

#include "policy.h"
#include "start.h"

// The arguments of KernelTask, in the order of its addresses (kernel.py): null where there is nothing to read or write.
extern "C" __global__ void train(
    long long n, long long steps, float *weight, float *bias, float *m_weight, float *v_weight, float *m_bias, float *v_bias,
    float *bias_correction1, float *bias_correction2, float *baseline, const long long *seeds, const float *x, const float *target,
    const float *k, const float *lr, const float *rate1, const float *rate2, const float *eps, const float *sigma,
    const float *one_over_samples, const float *one_over_samples_sigma, const float *baseline_rate, const float *low, const float *high,
    const float *correction, float *logits, float *outputs, float *first, float *last, long long seed, long long seeded,
    long long samples, long long first_step, long long key_low, long long key_high) {
  float *const state[] = {weight, bias, m_weight, v_weight, m_bias, v_bias, bias_correction1, bias_correction2, baseline};
  const long long stride = (long long)gridDim.x * blockDim.x;
  for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += stride) {
    const long long at = PER_POLICY ? i : 0;
    const Constants c = {x[at],   target[at], k[at],
                         lr[at],  rate1[at],  rate2[at],
                         eps[at], sigma[at],  one_over_samples[at],
                         one_over_samples_sigma[at], baseline_rate[at], low[at], high[at]};
    Policy p = {};
    real *const values[] = {&p.weight, &p.bias, &p.m_weight, &p.v_weight, &p.m_bias, &p.v_bias, &p.bias_correction1,
                            &p.bias_correction2, &p.baseline};
    if (seeded) {
      start(p, (word)seed + (word)i);
    } else {
#pragma unroll
      for (int j = 0; j < 9; ++j)
        if (state[j]) *values[j] = state[j][i];
    }
#if REINFORCE
    p.seed_low = (word)seeds[i];
    p.seed_high = (word)((unsigned long long)seeds[i] >> 32);
#endif
    real earliest = (float)steps;
    for (long long t = 0; t < steps; ++t) {
      const Forward before = forward(p, c);
      if (logits) {
        logits[t * n + i] = before.logit;
        outputs[t * n + i] = before.output;
      }
      if (first) earliest = first_at_target(earliest, before.output, c, (float)t);
      const Tick tick = {
          correction ? correction[4 * t] : 1.0f,
          correction ? correction[4 * t + 1] : 1.0f,
          (word)first_step + (word)t,
          (word)key_low,
          (word)key_high,
          (int)samples,
      };
      update(p, before.output, c, tick);
    }
#pragma unroll
    for (int j = 0; j < 9; ++j)
      if (state[j]) state[j][i] = *values[j];
    if (first) {
      first[i] = earliest;
      last[i] = forward(p, c).output;
    }
  }
}
