// The Metal launcher: one thread a policy, all steps in one dispatch.

#include <metal_stdlib>
using namespace metal;
#pragma METAL fp contract(off)  // Metal fuses multiplications and additions under every other option

typedef float real;
typedef uint word;

#define FUNCTION static inline
#define CHANGED(type) thread type &

FUNCTION real fused(real a, real b, real c) { return fma(a, b, c); }
FUNCTION real magnitude(real a) { return fabs(a); }
FUNCTION real clamped(real a, real low, real high) { return a < low ? low : a > high ? high : a; }
FUNCTION real choose(bool condition, real a, real b) { return condition ? a : b; }
FUNCTION word word_of(real a) { return as_type<uint>(a); }
FUNCTION real real_of(word a) { return as_type<float>(a); }
FUNCTION real value_of(word a) { return float(a); }

#if PORTABLE
FUNCTION real power_of_two(int n) { return as_type<float>(uint(n + 127) << 23); }

// x − s² for s close to √x, exact: Veltkamp's split of s, then the error of the product s·s.
FUNCTION real minus_square(real x, real s) {
  real t = s * 4097.0f;
  real high = t - (t - s);
  real low = s - high;
  real square = s * s;
  real error = (high * high - square) + 2.0f * high * low + low * low;
  return (x - square) - error;
}

// Correct to the last bit from a root that is within 1 ulp: sqrt_in_float32 of arithmetic.py.
FUNCTION real root(real x) {
  int exponent = (int(as_type<uint>(x) >> 23) - 127) & ~1;
  real scaled = x * power_of_two(-exponent);
  real s = precise::sqrt(scaled);
  real residual = minus_square(scaled, s);
  real step = s * 1.1920929e-07f;
  s = residual > step ? s + 1.1920929e-07f : residual <= -step ? s - 1.1920929e-07f : s;
  return x == 0.0f ? x : max(s, 1.0f) * power_of_two(exponent >> 1);
}
#else
FUNCTION real root(real a) { return precise::sqrt(a); }
#endif

#include "policy.h"
#include "start.h"

// What a task has, as bits of ``given``: state tensor j is bit j. A buffer that is not given is some other one, and left alone.
#define CORRECTED (1 << 8)
#define RECORDED (1 << 9)
#define FIRST (1 << 10)
#define SEEDED (1 << 11)

kernel void train(
    constant long &n, constant long &steps, constant long &given, constant long &seed, device float *weight, device float *bias,
    device float *m_weight, device float *v_weight, device float *m_bias, device float *v_bias, device float *decay1, device float *decay2,
    device const float *x, device const float *target, device const float *k, device const float *lr, device const float *rate1,
    device const float *rate2, device const float *eps, device const float *low, device const float *high, device const float *correction,
    device float *logits, device float *outputs, device float *first, device float *last, uint index [[thread_position_in_grid]]) {
  const long i = index, at = PER_POLICY ? i : 0;
  const Constants c = {x[at], target[at], k[at], lr[at], rate1[at], rate2[at], eps[at], low[at], high[at]};
  Policy p;
  if (given & SEEDED) {
    start(p, word(seed) + word(i));
  } else {
    p.weight = weight[i];
    p.bias = bias[i];
    if (given & (1 << 2)) p.m_weight = m_weight[i];
    if (given & (1 << 3)) p.v_weight = v_weight[i];
    if (given & (1 << 4)) p.m_bias = m_bias[i];
    if (given & (1 << 5)) p.v_bias = v_bias[i];
    if (given & (1 << 6)) p.decay1 = decay1[i];
    if (given & (1 << 7)) p.decay2 = decay2[i];
  }
  real earliest = float(steps);
  for (long t = 0; t < steps; ++t) {
    const Forward before = forward(p, c);
    if (given & RECORDED) {
      logits[t * n + i] = before.logit;
      outputs[t * n + i] = before.output;
    }
    if (given & FIRST) earliest = first_at_target(earliest, before.output, c, float(t));
    const float scale = given & CORRECTED ? correction[4 * t] : 1.0f, second = given & CORRECTED ? correction[4 * t + 1] : 1.0f;
    update(p, before.output, c, scale, second);
  }
  weight[i] = p.weight;
  bias[i] = p.bias;
  if (given & (1 << 2)) m_weight[i] = p.m_weight;
  if (given & (1 << 3)) v_weight[i] = p.v_weight;
  if (given & (1 << 4)) m_bias[i] = p.m_bias;
  if (given & (1 << 5)) v_bias[i] = p.v_bias;
  if (given & (1 << 6)) decay1[i] = p.decay1;
  if (given & (1 << 7)) decay2[i] = p.decay2;
  if (given & FIRST) {
    first[i] = earliest;
    last[i] = forward(p, c).output;
  }
}
