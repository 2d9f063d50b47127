// Operations per second of a CPU: every thread works on vectors of its own, with nothing to load or store.

#include <chrono>

// Chains enough that none waits for its own results, as far as there are registers.
#if defined(__AVX512F__) || defined(__aarch64__)
#define VECTORS 16
#else
#define VECTORS 8
#endif
#include "vectors.h"
#include "newton.h"
#include "limit.h"

// Which operations tell something here: without approximations the divider is timed twice, and with few registers a mixture waits for itself.
extern "C" int tells(int operation) {
  if (operation == NEWTON_DIVISION || operation == NEWTON_ROOT) return APPROXIMATES;
  return operation != MIXTURE || VECTORS == 16;
}

extern "C" int lanes() { return WIDTH; }

// Keeps the compiler from moving what is done to some memory to the other side of this.
FUNCTION void settle(real *chain) { asm volatile("" : : "r"(chain) : "memory"); }

// Runs ``times`` operations on each lane of ``threads`` threads, and tells the seconds that each took by itself: waiting for a thread
// that has yet to be given a core is none of its work.
extern "C" void run(int operation, int64_t times, int threads, double *seconds) {
#pragma omp parallel for num_threads(threads) schedule(static, 1)
  for (int thread = 0; thread < threads; ++thread) {
    float begin[WIDTH];  // all different: of equal chains the compiler would compute one, and of 1 the processor nothing
    for (int i = 0; i < WIDTH; ++i) begin[i] = 1.1f + 1.0e-3f * (thread + i);
    real chain[1];
    memcpy(chain, begin, sizeof chain);
    settle(chain);
    const auto begun = std::chrono::steady_clock::now();
    work(operation, chain, 1, times);
    settle(chain);
    seconds[thread] = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  }
}

// One operation on one number.
extern "C" float applied(int operation, float x) {
  real chain[1] = {real(x)};
  work(operation, chain, 1, 1);
  return chain[0].part[0][0];
}
