// Operations of one policy-step: the kernel's own body, run once on a type that counts what is done to it.

#include <cmath>
#include <cstdint>
#include <cstring>

#define FUNCTION static inline
#define CHANGED(type) type &

struct Counts {
  int64_t additions, multiplications, divisions, roots;
};

static Counts counts;

struct real {
  float value;
  real() = default;
  real(float given) : value(given) {}
};

typedef uint32_t word;

FUNCTION real operator+(real a, real b) { return ++counts.additions, a.value + b.value; }
FUNCTION real operator-(real a, real b) { return ++counts.additions, a.value - b.value; }
FUNCTION real operator*(real a, real b) { return ++counts.multiplications, a.value * b.value; }
FUNCTION real operator/(real a, real b) { return ++counts.divisions, a.value / b.value; }
FUNCTION real fused(real a, real b, real c) { return ++counts.multiplications, std::fma(a.value, b.value, c.value); }
FUNCTION real root(real a) { return ++counts.roots, std::sqrt(a.value); }
// Signs, comparisons, selections and integers run beside the arithmetic on other units: they are not counted.
FUNCTION real operator-(real a) { return -a.value; }
FUNCTION bool operator<(real a, real b) { return a.value < b.value; }
FUNCTION bool operator>(real a, real b) { return a.value > b.value; }
FUNCTION bool operator<=(real a, real b) { return a.value <= b.value; }
FUNCTION real magnitude(real a) { return std::fabs(a.value); }
FUNCTION real clamped(real a, real low, real high) { return a < low ? low : a > high ? high : a; }
FUNCTION real choose(bool condition, real a, real b) { return condition ? a : b; }

FUNCTION word word_of(real a) {
  word bits;
  memcpy(&bits, &a, sizeof bits);
  return bits;
}

FUNCTION real real_of(word bits) {
  real value;
  memcpy(&value, &bits, sizeof bits);
  return value;
}

#include "policy.h"

extern "C" void count(Counts *found) {
  Policy p = {0.5f, 0.25f, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f};
  Constants c = {1.0f, 0.8f, 5.0f, 0.1f, 0.1f, 0.001f, 1e-8f, 0.05f, 1.0f, 20.0f, 0.1f, 0.78f, 0.82f};
  Tick tick = {1.0f, 1.0f, 0, 0, 0, 0};
  counts = Counts();
  update(p, forward(p, c).output, c, tick);
  *found = counts;
}
