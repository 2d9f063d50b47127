// One operation after another in independent chains: what a device can do of it at most. Needs real, FUNCTION, root and fused and, of
// a division's and a root's fastest replacement, an approximation and Newton's steps, newton_reciprocal and newton_root.

#define COPIES 8  // chains of a GPU's thread; a CPU's real has several vectors in it as it is

enum Operation { ADDITION, MULTIPLICATION, DIVISION, ROOT, NEWTON_DIVISION, NEWTON_ROOT, MIXTURE };

// Each leaves its value near 1, far from overflow and subnormal numbers, but not at 1, which takes no time to divide by.
template <Operation OPERATION>
FUNCTION real once(real x) {
  switch (OPERATION) {
    case ADDITION: return x + 1.0e-12f;
    case MULTIPLICATION: return fused(x, real(0.5f), real(0.5f));
    case DIVISION: return 1.25f / x;
    case NEWTON_DIVISION: return newton_reciprocal(x);  // what it is multiplied by is as often a constant as not
    case NEWTON_ROOT: return newton_root(x);
    case MIXTURE: return fused(x, real(0.5f), real(0.5f)) + 1.0e-12f;  // two operations
    default: return root(x + 2.1f);  // the addition is another unit's
  }
}

template <Operation OPERATION>
FUNCTION void busy(real *chain, int chains, long long times) {
  for (long long i = 0; i < times; ++i)
    for (int j = 0; j < chains; ++j) chain[j] = once<OPERATION>(chain[j]);
}

FUNCTION void work(int operation, real *chain, int chains, long long times) {
  if (operation == ADDITION) busy<ADDITION>(chain, chains, times);
  if (operation == MULTIPLICATION) busy<MULTIPLICATION>(chain, chains, times);
  if (operation == DIVISION) busy<DIVISION>(chain, chains, times);
  if (operation == ROOT) busy<ROOT>(chain, chains, times);
  if (operation == NEWTON_DIVISION) busy<NEWTON_DIVISION>(chain, chains, times);
  if (operation == NEWTON_ROOT) busy<NEWTON_ROOT>(chain, chains, times);
  if (operation == MIXTURE) busy<MIXTURE>(chain, chains, times);
}
