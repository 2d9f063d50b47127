// The CPU launcher: a block of policies takes all its steps before the next one begins, so that its state stays in registers and
// the first-level cache; threads share the blocks.
//
// VECTORS of a real work side by side, and GROUPS of them take turns: together they hide the latency of a policy's chain of
// operations, which is several times as long as the processor needs to issue them.

#include "vectors.h"
#include "policy.h"
#include "start.h"

#define STATES 9
#define CONSTANTS 13
#define BLOCK (GROUPS * WIDTH)

enum Recorded { NOTHING, HISTORY, FIRST };

// What fused/cpu.py hands over. Pointers are null where there is nothing to read or write.
struct KernelTask {
  int64_t n, steps;
  float *state[STATES];              // in the order of Policy, [n]; what the kernel does not use is null
  const int64_t *seeds;              // whose noise is drawn, [n]
  const float *constant[CONSTANTS];  // in the order of Constants: [n] with PER_POLICY, otherwise one number
  const float *correction;           // [steps, 4], the first two of each row in use
  float *logits, *outputs;           // before each update, [steps, n]
  float *first;                      // first step at target, steps where none is, [n]
  float *last;                       // outputs after the last update, [n]
  uint32_t seed;                     // of the first policy
  int32_t seeded;                    // whether the policies begin by their seeds, whatever state holds
  int32_t samples;                   // of the noise of each step
  uint32_t first_step;               // of the noise
  uint32_t key_low, key_high;
};

FUNCTION void get(real &value, const float *from, int64_t at, int64_t count) {
  if (count >= WIDTH) {
    memcpy(&value, from + at, sizeof value);
  } else {
    value = real(0.0f);
    if (count > 0) memcpy(&value, from + at, count * sizeof(float));
  }
}

FUNCTION void put(const real &value, float *to, int64_t at, int64_t count) {
  if (count >= WIDTH)
    memcpy(to + at, &value, sizeof value);
  else if (count > 0)
    memcpy(to + at, &value, count * sizeof(float));
}

FUNCTION void get_constants(Constants &c, const KernelTask &task, int64_t at, int64_t count) {
  constant_t *values = &c.x;
  for (int i = 0; i < CONSTANTS; ++i) {
#if PER_POLICY
    get(values[i], task.constant[i], at, count);
#else
    values[i] = *task.constant[i];
#endif
  }
}

FUNCTION void begin(Policy &policy, const KernelTask &task, int64_t at, int64_t count) {
  real *values = &policy.weight;
  if (task.seeded) {
    uint32_t seeds[WIDTH];
    for (int i = 0; i < WIDTH; ++i) seeds[i] = task.seed + (uint32_t)at + i;
    word seed;
    memcpy(&seed, seeds, sizeof seed);
    start(policy, seed);
  } else {
    for (int i = 0; i < STATES; ++i)
      if (task.state[i]) get(values[i], task.state[i], at, count);
  }
#if REINFORCE
  uint32_t low[WIDTH] = {}, high[WIDTH] = {};
  for (int i = 0; i < WIDTH && i < count; ++i) {
    low[i] = (uint32_t)task.seeds[at + i];
    high[i] = (uint32_t)((uint64_t)task.seeds[at + i] >> 32);
  }
  memcpy(&policy.seed_low, low, sizeof policy.seed_low);
  memcpy(&policy.seed_high, high, sizeof policy.seed_high);
#endif
}

FUNCTION void end(const Policy &policy, const KernelTask &task, int64_t at, int64_t count) {
  const real *values = &policy.weight;
  for (int i = 0; i < STATES; ++i)
    if (task.state[i]) put(values[i], task.state[i], at, count);
}

// Keeps what a policy puts out before update t, as it is asked for.
template <Recorded RECORDED>
FUNCTION void record(const KernelTask &task, const Forward &before, const Constants &c, real &first, int64_t t, int64_t here) {
  if (RECORDED == HISTORY) {
    put(before.logit, task.logits + t * task.n, here, task.n - here);
    put(before.output, task.outputs + t * task.n, here, task.n - here);
  }
  if (RECORDED == FIRST) first = first_at_target(first, before.output, c, (float)t);
}

// The halves of a step alternate between groups, so that what waits for one group's divisions is never the next thing to do:
// update 0, forward 2, update 1, forward 0 of the next step, update 2, forward 1, and so on.
template <Recorded RECORDED>
static void train_block(const KernelTask &task, int64_t at) {
  Policy policy[GROUPS];
  Constants c[GROUPS];
  Forward before[GROUPS];
  real first[GROUPS];
  for (int j = 0; j < GROUPS; ++j) {
    const int64_t here = at + j * WIDTH;
    begin(policy[j], task, here, task.n - here);
    get_constants(c[j], task, here, task.n - here);
    before[j] = forward(policy[j], c[j]);
    first[j] = real((float)task.steps);
  }
  for (int64_t t = 0; t < task.steps; ++t) {
    const Tick tick = {
        task.correction ? task.correction[4 * t] : 1.0f,
        task.correction ? task.correction[4 * t + 1] : 1.0f,
        task.first_step + (uint32_t)t,
        task.key_low,
        task.key_high,
        task.samples,
    };
#pragma GCC unroll 8
    for (int j = 0; j < GROUPS; ++j) {
      record<RECORDED>(task, before[j], c[PER_POLICY ? j : 0], first[j], t, at + j * WIDTH);
      update(policy[j], before[j].output, c[PER_POLICY ? j : 0], tick);
      const int behind = (j + GROUPS - 1) % GROUPS;
      before[behind] = forward(policy[behind], c[PER_POLICY ? behind : 0]);
    }
  }
  for (int j = 0; j < GROUPS; ++j) {
    const int64_t here = at + j * WIDTH, count = task.n - here;
    end(policy[j], task, here, count);
    if (RECORDED == FIRST) {
      put(first[j], task.first, here, count);
      put(forward(policy[j], c[j]).output, task.last, here, count);
    }
  }
}

extern "C" void train(const KernelTask *task, int threads) {
  const int64_t blocks = (task->n + BLOCK - 1) / BLOCK;
#pragma omp parallel for num_threads(threads) schedule(static) if (threads > 1 && blocks > 1)
  for (int64_t block = 0; block < blocks; ++block) {
    if (task->logits)
      train_block<HISTORY>(*task, block * BLOCK);
    else if (task->first)
      train_block<FIRST>(*task, block * BLOCK);
    else
      train_block<NOTHING>(*task, block * BLOCK);
  }
}
