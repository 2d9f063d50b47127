// The Metal launcher: one thread a policy, all steps in one dispatch.

#include <metal_stdlib>
using namespace metal;
#pragma METAL fp contract(off)  // Metal fuses multiplications and additions under every other option

typedef float real;
typedef uint word;

#define FUNCTION static inline
#define CHANGED(type) thread type &
#define UNROLLED _Pragma("unroll")

FUNCTION real fused(real a, real b, real c) { return fma(a, b, c); }
FUNCTION real magnitude(real a) { return fabs(a); }
FUNCTION real clamped(real a, real low, real high) { return a < low ? low : a > high ? high : a; }
FUNCTION real choose(bool condition, real a, real b) { return condition ? a : b; }
FUNCTION word word_of(real a) { return as_type<uint>(a); }
FUNCTION real real_of(word a) { return as_type<float>(a); }
FUNCTION real value_of(word a) { return float(a); }
FUNCTION void multiply(word a, word b, CHANGED(word) high, CHANGED(word) low) {
  high = mulhi(a, b);
  low = a * b;
}

#if PORTABLE || REINFORCE
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
#define CORRECTED (1 << 9)
#define RECORDED (1 << 10)
#define FIRST (1 << 11)
#define SEEDED (1 << 12)

// Metal binds at most 31 buffers, so numbers come in one, in the order of mps.py, and the constants in another: [13], or [13, n].
kernel void train(
    device const long *numbers, device float *weight, device float *bias, device float *m_weight, device float *v_weight,
    device float *m_bias, device float *v_bias, device float *bias_correction1, device float *bias_correction2, device float *baseline,
    device const long *seeds, device const float *constants, device const float *correction, device float *logits, device float *outputs,
    device float *first, device float *last, uint index [[thread_position_in_grid]]) {
  const long n = numbers[0], steps = numbers[1], given = numbers[2], i = index;
  const long at = PER_POLICY ? i : 0, stride = PER_POLICY ? n : 1;
#define CONSTANT(j) constants[at + j * stride]
  const Constants c = {CONSTANT(0), CONSTANT(1), CONSTANT(2), CONSTANT(3),  CONSTANT(4),  CONSTANT(5), CONSTANT(6),
                       CONSTANT(7), CONSTANT(8), CONSTANT(9), CONSTANT(10), CONSTANT(11), CONSTANT(12)};
  Policy p;
  if (given & SEEDED) {
    start(p, word(numbers[3]) + word(i));
  } else {
    p.weight = weight[i];
    p.bias = bias[i];
    if (given & (1 << 2)) p.m_weight = m_weight[i];
    if (given & (1 << 3)) p.v_weight = v_weight[i];
    if (given & (1 << 4)) p.m_bias = m_bias[i];
    if (given & (1 << 5)) p.v_bias = v_bias[i];
    if (given & (1 << 6)) p.bias_correction1 = bias_correction1[i];
    if (given & (1 << 7)) p.bias_correction2 = bias_correction2[i];
    if (given & (1 << 8)) p.baseline = baseline[i];
  }
#if REINFORCE
  p.seed_low = word(seeds[i]);
  p.seed_high = word(seeds[i] >> 32);
#endif
  real earliest = float(steps);
  for (long t = 0; t < steps; ++t) {
    const Forward before = forward(p, c);
    if (given & RECORDED) {
      logits[t * n + i] = before.logit;
      outputs[t * n + i] = before.output;
    }
    if (given & FIRST) earliest = first_at_target(earliest, before.output, c, float(t));
    const float scale = given & CORRECTED ? correction[4 * t] : 1.0f, second = given & CORRECTED ? correction[4 * t + 1] : 1.0f;
    const Tick tick = {scale, second, word(numbers[5]) + word(t), word(numbers[6]), word(numbers[7]), int(numbers[4])};
    update(p, before.output, c, tick);
  }
  weight[i] = p.weight;
  bias[i] = p.bias;
  if (given & (1 << 2)) m_weight[i] = p.m_weight;
  if (given & (1 << 3)) v_weight[i] = p.v_weight;
  if (given & (1 << 4)) m_bias[i] = p.m_bias;
  if (given & (1 << 5)) v_bias[i] = p.v_bias;
  if (given & (1 << 6)) bias_correction1[i] = p.bias_correction1;
  if (given & (1 << 7)) bias_correction2[i] = p.bias_correction2;
  if (given & (1 << 8)) baseline[i] = p.baseline;
  if (given & FIRST) {
    first[i] = earliest;
    last[i] = forward(p, c).output;
  }
}
