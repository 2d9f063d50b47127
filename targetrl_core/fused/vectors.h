// real and word on a CPU: several vectors each, so that independent policies fill the time that one waits for its own results.
//
// GCC's and Clang's vector types; where the processor's vectors are shorter than VECTOR_BYTES, the compiler takes several.

#include <cstdint>
#include <cstring>
#if defined(__AVX__)  // as is whatever has AVX2, FMA or AVX-512
#include <immintrin.h>
#endif

#ifndef VECTOR_BYTES
#if defined(__AVX512F__)
#define VECTOR_BYTES 64
#elif defined(__AVX__)
#define VECTOR_BYTES 32
#else
#define VECTOR_BYTES 16
#endif
#endif

#define LANES (VECTOR_BYTES / 4)
#define WIDTH (VECTORS * LANES)  // policies of one real

#define FUNCTION static inline __attribute__((always_inline))
#define CHANGED(type) type &
#define UNROLLED _Pragma("GCC unroll 16")

typedef float floats __attribute__((vector_size(VECTOR_BYTES)));
typedef uint32_t words __attribute__((vector_size(VECTOR_BYTES)));
typedef int32_t truths __attribute__((vector_size(VECTOR_BYTES)));

struct word {
  words part[VECTORS];
  word() = default;
  inline __attribute__((always_inline)) word(uint32_t value) {
    for (int i = 0; i < VECTORS; ++i) part[i] = value - words{};
  }
};

struct truth {
  truths part[VECTORS];
};

struct real {
  floats part[VECTORS];
  real() = default;
  inline __attribute__((always_inline)) real(float value) {
    for (int i = 0; i < VECTORS; ++i) part[i] = value - floats{};
  }
};

#define FOR_EACH_PART(type, expression)                           \
  {                                                               \
    type result;                                                  \
    for (int i = 0; i < VECTORS; ++i) result.part[i] = expression; \
    return result;                                                \
  }

FUNCTION real operator+(real a, real b) FOR_EACH_PART(real, a.part[i] + b.part[i])
FUNCTION real operator-(real a, real b) FOR_EACH_PART(real, a.part[i] - b.part[i])
FUNCTION real operator*(real a, real b) FOR_EACH_PART(real, a.part[i] * b.part[i])
FUNCTION real operator/(real a, real b) FOR_EACH_PART(real, a.part[i] / b.part[i])
FUNCTION real operator-(real a) FOR_EACH_PART(real, -a.part[i])
FUNCTION truth operator<(real a, real b) FOR_EACH_PART(truth, a.part[i] < b.part[i])
FUNCTION truth operator>(real a, real b) FOR_EACH_PART(truth, a.part[i] > b.part[i])
FUNCTION truth operator<=(real a, real b) FOR_EACH_PART(truth, a.part[i] <= b.part[i])

FUNCTION word operator+(word a, word b) FOR_EACH_PART(word, a.part[i] + b.part[i])
FUNCTION word operator*(word a, uint32_t b) FOR_EACH_PART(word, a.part[i] * b)
FUNCTION word operator+(word a, uint32_t b) FOR_EACH_PART(word, a.part[i] + b)
FUNCTION word operator^(word a, word b) FOR_EACH_PART(word, a.part[i] ^ b.part[i])
FUNCTION word operator|(word a, word b) FOR_EACH_PART(word, a.part[i] | b.part[i])
FUNCTION word operator&(word a, uint32_t b) FOR_EACH_PART(word, a.part[i] & b)
FUNCTION word operator<<(word a, int b) FOR_EACH_PART(word, a.part[i] << b)
FUNCTION word operator>>(word a, int b) FOR_EACH_PART(word, a.part[i] >> b)

FUNCTION word word_of(real a) FOR_EACH_PART(word, (words)a.part[i])
FUNCTION real real_of(word a) FOR_EACH_PART(real, (floats)a.part[i])
FUNCTION real value_of(word a) FOR_EACH_PART(real, __builtin_convertvector((truths)a.part[i], floats))
FUNCTION real magnitude(real a) FOR_EACH_PART(real, (floats)((words)a.part[i] & 0x7fffffffu))
FUNCTION real choose(truth condition, real a, real b) FOR_EACH_PART(real, condition.part[i] ? a.part[i] : b.part[i])

// What the vector types lack. Compilers vectorise the loops over lanes, but not reliably.
FUNCTION floats fused_lanes(floats a, floats b, floats c) {
#if defined(__AVX512F__) && VECTOR_BYTES == 64
  return (floats)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif defined(__FMA__) && VECTOR_BYTES == 32
  return (floats)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#else
  floats result;
  for (int lane = 0; lane < LANES; ++lane) result[lane] = __builtin_fmaf(a[lane], b[lane], c[lane]);
  return result;
#endif
}

FUNCTION floats root_lanes(floats a) {
#if defined(__AVX512F__) && VECTOR_BYTES == 64
  return (floats)_mm512_sqrt_ps((__m512)a);
#elif defined(__AVX__) && VECTOR_BYTES == 32
  return (floats)_mm256_sqrt_ps((__m256)a);
#else
  floats result;
  for (int lane = 0; lane < LANES; ++lane) result[lane] = __builtin_sqrtf(a[lane]);
  return result;
#endif
}

// Products of 64 bits come of every other lane: two of them hold both halves of all.
FUNCTION void multiply_lanes(words a, uint32_t b, words &high, words &low) {
#if defined(__AVX512F__) && VECTOR_BYTES == 64
  const __m512i factor = _mm512_set1_epi64(b);
  const __m512i even = _mm512_mul_epu32((__m512i)a, factor);
  const __m512i odd = _mm512_mul_epu32(_mm512_srli_epi64((__m512i)a, 32), factor);
  high = (words)_mm512_mask_shuffle_epi32(odd, 0x5555, even, (_MM_PERM_ENUM)0xF5);
  low = (words)_mm512_mask_shuffle_epi32(even, 0xAAAA, odd, (_MM_PERM_ENUM)0xA0);
#elif defined(__AVX2__) && VECTOR_BYTES == 32
  const __m256i factor = _mm256_set1_epi64x(b);
  const __m256i even = _mm256_mul_epu32((__m256i)a, factor);
  const __m256i odd = _mm256_mul_epu32(_mm256_srli_epi64((__m256i)a, 32), factor);
  high = (words)_mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xAA);
  low = (words)_mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xAA);
#else
  for (int lane = 0; lane < LANES; ++lane) high[lane] = (uint32_t)((uint64_t)a[lane] * b >> 32);
  low = a * b;
#endif
}

// NaN stays NaN: where the comparison fails, the second operand is taken, by the instruction as by the expression.
FUNCTION floats clamped_lanes(floats a, floats low, floats high) {
#if defined(__AVX512F__) && VECTOR_BYTES == 64
  return (floats)_mm512_min_ps((__m512)high, _mm512_max_ps((__m512)low, (__m512)a));
#elif defined(__AVX__) && VECTOR_BYTES == 32
  return (floats)_mm256_min_ps((__m256)high, _mm256_max_ps((__m256)low, (__m256)a));
#else
  floats raised = low > a ? low : a;
  return high < raised ? high : raised;
#endif
}

FUNCTION real clamped(real a, real low, real high) FOR_EACH_PART(real, clamped_lanes(a.part[i], low.part[i], high.part[i]))
FUNCTION real fused(real a, real b, real c) FOR_EACH_PART(real, fused_lanes(a.part[i], b.part[i], c.part[i]))
FUNCTION real root(real a) FOR_EACH_PART(real, root_lanes(a.part[i]))

FUNCTION void multiply(word a, uint32_t b, word &high, word &low) {
  for (int i = 0; i < VECTORS; ++i) multiply_lanes(a.part[i], b, high.part[i], low.part[i]);
}
