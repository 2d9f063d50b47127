// Operations per second of a CPU: every thread works on vectors of its own, with nothing to load or store.

#define VECTORS 8
#include "vectors.h"
#include "limit.h"

extern "C" int lanes() { return WIDTH; }

// Runs ``times`` operations on each lane of ``threads`` threads.
extern "C" float run(int operation, int64_t times, int threads) {
  float sum = 0.0f;
#pragma omp parallel for num_threads(threads) schedule(static, 1) reduction(+ : sum)
  for (int thread = 0; thread < threads; ++thread) {
    float begin[WIDTH];  // all different: of equal chains the compiler would compute one, and of 1 the processor nothing
    for (int i = 0; i < WIDTH; ++i) begin[i] = 1.1f + 1.0e-3f * (thread + i);
    real chain[1];
    memcpy(chain, begin, sizeof chain);
    work(operation, chain, 1, times);
    for (int i = 0; i < VECTORS; ++i) sum += chain[0].part[i][0];  // so that the compiler leaves the work in
  }
  return sum;
}
