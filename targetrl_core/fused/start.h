// Where policy i begins: the weight and bias that nn.Linear(1, 1) draws under torch.manual_seed(i), as population.py has it.
//
// PyTorch's generator is mt19937 (Matsumoto and Nishimura, 1998). Its first two outputs depend on the seeded words 0, 1, 2, 397
// and 398 alone, so nothing else of its state is kept.

FUNCTION word tempered(word seeded, word next, word far) {
  word mixed = (seeded & 0x80000000u) | (next & 0x7fffffffu);
  word y = far ^ (mixed >> 1) ^ ((mixed & 1u) * 0x9908b0dfu);
  y = y ^ (y >> 11);
  y = y ^ ((y << 7) & 0x9d2c5680u);
  y = y ^ ((y << 15) & 0xefc60000u);
  return y ^ (y >> 18);
}

// What uniform_(−1, 1) makes of the low 24 bits: times 2^-23, which is exact, less 1.
FUNCTION real uniform(word bits) {
  return value_of(bits & 0xffffffu) * 1.1920929e-07f - 1.0f;
}

FUNCTION void start(CHANGED(Policy) p, word seed) {
  word w = seed, w1 = seed, w2 = seed, w397 = seed;
  for (unsigned i = 1; i <= 398; ++i) {
    w = (w ^ (w >> 30)) * 1812433253u + i;
    if (i == 1) w1 = w;
    if (i == 2) w2 = w;
    if (i == 397) w397 = w;
  }
  p.weight = uniform(tempered(seed, w1, w397));
  p.bias = uniform(tempered(w1, w2, w));
  p.m_weight = p.v_weight = p.m_bias = p.v_bias = p.decay1 = p.decay2 = real(0.0f);
}
