// Division and root without the divider, to float32's accuracy: the processor's approximation, and as many of Newton's steps as it takes.

#if defined(__aarch64__)
#include <arm_neon.h>
#elif defined(__SSE__) && !defined(__AVX__)
#include <xmmintrin.h>
#endif

#define APPROXIMATES 1

#if defined(__AVX512F__) && VECTOR_BYTES == 64  // 14 bits: one step
#define NEWTON_STEPS 1
FUNCTION floats reciprocal_lanes(floats a) { return (floats)_mm512_rcp14_ps((__m512)a); }
FUNCTION floats inverse_root_lanes(floats a) { return (floats)_mm512_rsqrt14_ps((__m512)a); }
#elif defined(__AVX__) && VECTOR_BYTES == 32  // 12 bits: one step
#define NEWTON_STEPS 1
FUNCTION floats reciprocal_lanes(floats a) { return (floats)_mm256_rcp_ps((__m256)a); }
FUNCTION floats inverse_root_lanes(floats a) { return (floats)_mm256_rsqrt_ps((__m256)a); }
#elif defined(__SSE__) && VECTOR_BYTES == 16
#define NEWTON_STEPS 1
FUNCTION floats reciprocal_lanes(floats a) { return (floats)_mm_rcp_ps((__m128)a); }
FUNCTION floats inverse_root_lanes(floats a) { return (floats)_mm_rsqrt_ps((__m128)a); }
#elif defined(__aarch64__) && VECTOR_BYTES == 16  // 8 bits: two steps
#define NEWTON_STEPS 2
FUNCTION floats reciprocal_lanes(floats a) { return (floats)vrecpeq_f32((float32x4_t)a); }
FUNCTION floats inverse_root_lanes(floats a) { return (floats)vrsqrteq_f32((float32x4_t)a); }
#else
#undef APPROXIMATES
#define APPROXIMATES 0
#endif

#if defined(__FMA__) || defined(__aarch64__)
#define newton_add(a, b, c) fused((a), (b), (c))
#else
#define newton_add(a, b, c) ((a) * (b) + (c))  // fused by a function would take longer than the division
#endif

#if APPROXIMATES
FUNCTION real approximate_reciprocal(real a) FOR_EACH_PART(real, reciprocal_lanes(a.part[i]))
FUNCTION real approximate_inverse_root(real a) FOR_EACH_PART(real, inverse_root_lanes(a.part[i]))

// 1/a.
FUNCTION real newton_reciprocal(real a) {
  real r = approximate_reciprocal(a);
  for (int step = 0; step < NEWTON_STEPS; ++step) r = newton_add(newton_add(-a, r, real(1.0f)), r, r);
  return r;
}

// √a, of a product with its inverse and of half of that: both converge at once.
FUNCTION real newton_root(real a) {
  real inverse = approximate_inverse_root(a);
  real result = a * inverse, half = inverse * 0.5f;
  for (int step = 0; step < NEWTON_STEPS; ++step) {
    real error = newton_add(-result, half, real(0.5f));
    result = newton_add(result, error, result);
    if (step + 1 < NEWTON_STEPS) half = newton_add(half, error, half);
  }
  return result;
}
#else
FUNCTION real newton_reciprocal(real a) { return 1.0f / a; }
FUNCTION real newton_root(real a) { return root(a); }
#endif
