// The training step of one policy: the body that every fused kernel shares, in the common subset of C++, CUDA C++ and Metal.
//
// It follows step.py, its gradient, its update and arithmetic.py operation by operation, so that portable arithmetic has the same bits
// here. A launcher defines, before it includes this file, the types
//     real   a float, or several that are computed side by side
//     word   as many unsigned 32-bit integers
// what the language calls a function (FUNCTION), an argument that is changed (CHANGED) and, before a loop, that the compiler is to
// write it out (UNROLLED), and, for real and word,
//     fused(a, b, c)             a·b + c, rounded once
//     root(a)                    √a, correctly rounded where the arithmetic is portable or noise is drawn
//     magnitude(a)               |a|
//     clamped(a, low, high)      a limited to [low, high]; NaN stays
//     choose(condition, a, b)    a where the condition holds, b elsewhere
//     word_of(a), real_of(w)     the same bits
//     value_of(w)                the value of an integer up to 2^24
//     multiply(w, n, high, low)  w·n, n an unsigned number: its upper 32 bits, and its lower ones
//
// What a kernel is built for is decided by macros, 0 or 1: PATHWISE or REINFORCE (otherwise detached), BASELINE and ONE_SAMPLE (of
// reinforce), ADAM (otherwise SGD), PORTABLE (otherwise native), UNIT_INPUT (x = 1), SHARED_MOMENTS, OWN_BETAS, and PER_POLICY:
// constants that differ between policies.

#if PER_POLICY
typedef real constant_t;
#else
typedef float constant_t;  // computed with once for all policies
#endif
#if PER_POLICY || OWN_BETAS
typedef real step_t;
#else
typedef float step_t;
#endif

// Portable gradients and moments below these count as zero, so that nothing becomes subnormal (arithmetic.py).
#define GRADIENT_FLOOR 8.8817842e-16f  // 2^-50
#define MOMENT_FLOOR 7.8886091e-31f   // 2^-100

struct Constants {
  constant_t x, target, k, lr, rate1, rate2, eps;
  constant_t sigma, one_over_samples, one_over_samples_sigma, baseline_rate;
  constant_t low, high;  // outputs from low to high, both included, count as at target
};

struct Policy {
  real weight, bias, m_weight, v_weight, m_bias, v_bias, bias_correction1, bias_correction2, baseline;
#if REINFORCE
  word seed_low, seed_high;  // whose noise is drawn
#endif
};

// What differs from step to step: Adam's bias corrections, √(1 − beta2^t)/(1 − beta1^t) and √(1 − beta2^t), unless policies have betas,
// hence corrections, of their own; and which noise is drawn, how much of it.
struct Tick {
  float correction_scale, correction_root;
  unsigned step, key_low, key_high;
  int samples;
};

struct Forward {
  real logit, output;
};

// Tensors have no fused multiply-add: where the bits are to be theirs, the product is rounded too.
#if PORTABLE
#define multiply_add(a, b, c) ((a) * (b) + (c))
#else
#define multiply_add(a, b, c) fused((a), (b), (c))
#endif

// 1.5 · 2^23: added to a number below 2^22, it leaves the nearest integer in the last bits.
#define TO_INTEGER 12582912.0f

// value · 2^n, given n + TO_INTEGER: n is added to the exponent, which has to stay that of a normal number.
FUNCTION real scaled(real value, real n_shifted) {
  return real_of(word_of(value) + (word_of(n_shifted) << 23));
}

#if PORTABLE
// portable_exp of arithmetic.py, for |x| ≤ 87.
FUNCTION real exponential(real x) {
  real shifted = x * 1.4426950408889634f + TO_INTEGER;
  real n = shifted - TO_INTEGER;
  real r = x - n * 0.693359375f - n * -0.000212194440055f;
  real p = r * 0.00139417494459f + 0.00836876730292f;
  p = p * r + 0.0416663898746f;
  p = p * r + 0.166665202491f;
  p = p * r + 0.5f;
  return scaled(p * (r * r) + r + 1.0f, shifted);
}
#else
// 2^(x·log2 e), for |x| ≤ 87: n is the nearest integer, f in [−½, ½] the rest, and 2^f a polynomial whose constant term is held
// at 1 (minimax in relative error by linear programming, coefficients rounded one after another: 7e-9).
FUNCTION real exponential(real x) {
  real y = x * 1.4426950408889634f;
  real shifted = y + TO_INTEGER;
  real f = y - (shifted - TO_INTEGER);
  real p = fused(f, 0.00015686925f, 0.0013420174f);
  p = fused(p, f, 0.009617357f);
  p = fused(p, f, 0.05550265f);
  p = fused(p, f, 0.24022654f);
  p = fused(p, f, 0.69314724f);
  p = fused(p, f, 1.0f);
  return scaled(p, shifted);
}
#endif

FUNCTION real sigmoid(real z) {
  return 1.0f / (exponential(clamped(-z, -87.0f, 87.0f)) + 1.0f);
}

FUNCTION real settled(real value, float floor) {
#if PORTABLE
  return choose(magnitude(value) < floor, real(0.0f), value);
#else
  return value;
#endif
}

#if REINFORCE
#include "noise.h"

#if ONE_SAMPLE
#define SAMPLES 1  // nothing is made that only a second one would take
#else
#define SAMPLES tick.samples
#endif

// The estimate of dL/dz, mean over the samples of −(r − baseline)·(ε/σ)·o·(1 − o); the baseline follows the rewards.
FUNCTION real gradient(CHANGED(Policy) p, real o, Constants c, Tick tick) {
  real scores = real(0.0f), rewards = real(0.0f);
  for (int first = 0; first < SAMPLES; first += 4) {
    const Words words = random_words(p.seed_low, p.seed_high, tick, unsigned(first) / 4u);
    for (int pair = first; pair < first + 4 && pair < SAMPLES; pair += 2) {
      const Normals normals = pair == first ? normals_of(words.a, words.b) : normals_of(words.c, words.d);
      for (int i = pair; i < pair + 2 && i < SAMPLES; ++i) {
        const real epsilon = i == pair ? normals.first : normals.second;
        const real action = multiply_add(real(c.sigma), epsilon, o);
        const real reward = -multiply_add(real(c.k), magnitude(action - c.target), real(-1.0f));
#if BASELINE
        const real advantage = reward - p.baseline;
#else
        const real advantage = reward;
#endif
        scores = multiply_add(advantage, epsilon, scores);
        rewards = rewards + reward;
      }
    }
  }
#if BASELINE
  p.baseline = settled(multiply_add(rewards * c.one_over_samples - p.baseline, real(c.baseline_rate), p.baseline), MOMENT_FLOOR);
#endif
  return -((scores * c.one_over_samples_sigma) * (o * (1.0f - o)));
}
#else
// dL/dz. Of the detached objective, −r·(1 − o) with the sign drawn into r = 1 − k·|o − target|.
FUNCTION real gradient(CHANGED(Policy) p, real o, Constants c, Tick tick) {
  real distance = o - c.target;
#if PATHWISE
  real slope = choose(distance > 0.0f, real(c.k), choose(distance < 0.0f, real(-c.k), real(0.0f)));
  return slope * (o * (1.0f - o));
#else
  return multiply_add(real(c.k), magnitude(distance), real(-1.0f)) * (1.0f - o);
#endif
}
#endif

// Adam's move of a parameter, after its moments have followed the gradient g.
FUNCTION real moved(CHANGED(real) m, CHANGED(real) v, real g, Constants c, step_t lr, step_t eps) {
  m = settled(multiply_add(g - m, real(c.rate1), m), MOMENT_FLOOR);
  v = settled(multiply_add(g * g - v, real(c.rate2), v), MOMENT_FLOOR);
  return lr * (m / (root(v) + eps));
}

// The first half of a step: what the policy puts out.
FUNCTION Forward forward(Policy p, Constants c) {
  Forward before;
#if UNIT_INPUT
  before.logit = p.weight + p.bias;
#else
  before.logit = multiply_add(p.weight, real(c.x), p.bias);
#endif
  before.output = sigmoid(before.logit);
  return before;
}

// The second half: the update, given the output.
FUNCTION void update(CHANGED(Policy) p, real output, Constants c, Tick tick) {
  real g = gradient(p, output, c, tick);
  real g_bias = settled(g, GRADIENT_FLOOR);
#if UNIT_INPUT
  real g_weight = g_bias;
#else
  real g_weight = settled(g * c.x, GRADIENT_FLOOR);
#endif
#if !ADAM
  p.weight = p.weight - c.lr * g_weight;
  p.bias = p.bias - c.lr * g_bias;
#else
#if OWN_BETAS
  p.bias_correction1 = multiply_add(1.0f - p.bias_correction1, real(c.rate1), p.bias_correction1);
  p.bias_correction2 = multiply_add(1.0f - p.bias_correction2, real(c.rate2), p.bias_correction2);
  real second = root(p.bias_correction2);
  step_t lr = c.lr * (second / p.bias_correction1);
  step_t eps = c.eps * second;
#else
  step_t lr = c.lr * tick.correction_scale;
  step_t eps = c.eps * tick.correction_root;
#endif
  real move_weight = moved(p.m_weight, p.v_weight, g_weight, c, lr, eps);
#if SHARED_MOMENTS
  real move_bias = move_weight;
#else
  real move_bias = moved(p.m_bias, p.v_bias, g_bias, c, lr, eps);
#endif
  p.weight = p.weight - move_weight;
  p.bias = p.bias - move_bias;
#endif
}

// The first step whose output is at target, where the policy has put out ``output`` before update t; ``first`` so far.
FUNCTION real first_at_target(real first, real output, Constants c, float t) {
  real earliest = choose(first < t, first, real(t));
  // An output that is NaN is at no target: no comparison with it holds.
  return choose(c.low <= output, choose(output <= c.high, earliest, first), first);
}
