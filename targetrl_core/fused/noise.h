// Standard normal numbers keyed by noise seed, policy, step and sample: noise.py, operation by operation, in every arithmetic.
//
// Philox4x32-10 of Salmon, Moraes, Dror and Shaw, 2011; Box and Muller, 1958. Nothing here may be fused: the bits are to be the same
// everywhere.
//
// Where there is one block, two products of the first two rounds are the same in every step: the compiler takes them out of the loop
// over steps, if the rounds are written out.

struct Words {
  word a, b, c, d;
};

struct Normals {
  real first, second;
};

// A block of random words: the policy's seed, the step and the block are the counter.
FUNCTION Words random_words(word seed_low, word seed_high, Tick tick, unsigned block) {
  Words w = {seed_low, seed_high, word(tick.step), word(block)};
  unsigned k0 = tick.key_low, k1 = tick.key_high;
  UNROLLED
  for (int i = 0; i < 10; ++i) {
    word first_high, first_low, second_high, second_low;
    multiply(w.a, 0xD2511F53u, first_high, first_low);
    multiply(w.c, 0xCD9E8D57u, second_high, second_low);
    w.a = second_high ^ w.b ^ word(k0);
    w.b = second_low;
    w.c = first_high ^ w.d ^ word(k1);
    w.d = first_low;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return w;
}

// ln u of u in [2^-24, 1]: u = 2^e·m with m in [√½, √2), and a polynomial in f = m − 1.
FUNCTION real logarithm(real u) {
  const word shifted = word_of(u) + 0x004AFB0Du;  // bits of 1 less those of √½
  const real e = value_of(shifted >> 23) - 127.0f;
  const real f = real_of((shifted & 0x7FFFFFu) + 0x3F3504F3u) - 1.0f;
  const real square = f * f;
  real p = f * 0.067466408f - 0.116756521f;
  p = p * f + 0.11888162f;
  p = p * f - 0.124055892f;
  p = p * f + 0.142195523f;
  p = p * f - 0.166679963f;
  p = p * f + 0.200021192f;
  p = p * f - 0.250000089f;
  p = p * f + 0.333333135f;
  const real y = f * square * p;
  return f + (y + e * -0.000212194440055f - 0.5f * square) + e * 0.693359375f;
}

// Two normals: cosine and sine of an angle, whose top two bits are its quarter turn, by a radius.
FUNCTION Normals normals_of(word radial, word angular) {
  const real radius = root(-2.0f * logarithm(value_of((radial >> 8) + 1u) * 5.9604644775390625e-8f));
  const real x = (value_of((angular & 0x3FFFFFFFu) >> 6) - 8388608.0f) * (1.57079637f * 5.9604644775390625e-8f);
  const real square = x * x;
  real p = square * -0.000195152839f + 0.0083321603f;
  p = p * square - 0.166666552f;
  const real sine = x * square * p + x;
  real q = square * 2.44331568e-05f - 0.00138873165f;
  q = q * square + 0.0416666456f;
  const real cosine = square * square * q - 0.5f * square + 1.0f;
  const word across = angular & 0x80000000u, along = (angular ^ (angular << 1)) & 0x80000000u;  // signs
  const real odd = value_of((angular >> 30) & 1u);
  Normals pair;
  pair.first = radius * real_of(word_of(choose(odd > 0.5f, sine, cosine)) ^ along);
  pair.second = radius * real_of(word_of(choose(odd > 0.5f, cosine, sine)) ^ across);
  return pair;
}
