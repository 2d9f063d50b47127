// Where policy i begins: the weight and bias that nn.Linear(1, 1) draws under torch.manual_seed(i), as listing/start.py has it.
//
// PyTorch's generator is mt19937 (Matsumoto and Nishimura, 1998). Its first two outputs depend on the seeded words 0, 1, 2, 397
// and 398 alone, so nothing else of its state is kept.

FUNCTION word tempered(word first, word next, word far) {
  word mixed = (first & 0x80000000u) | (next & 0x7fffffffu);
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

FUNCTION word seeded(word before, unsigned i) {
  return (before ^ (before >> 30)) * 1812433253u + i;
}

FUNCTION void start(CHANGED(Policy) p, word seed) {
  word w1 = seeded(seed, 1), w2 = seeded(w1, 2), w = w2;
  for (unsigned i = 3; i < 398; ++i) w = seeded(w, i);
  p.weight = uniform(tempered(seed, w1, w));
  p.bias = uniform(tempered(w1, w2, seeded(w, 398)));
  p.m_weight = p.v_weight = p.m_bias = p.v_bias = p.bias_correction1 = p.bias_correction2 = p.baseline = real(0.0f);
}
