"""Where the listing's policies begin: bit for bit as ``nn.Linear(1, 1)`` under ``torch.manual_seed``, all seeds at a time."""

import torch
from torch import Tensor


def linear_start(first_seed: int, n: int) -> tuple[Tensor, Tensor]:
    """Weight and bias of ``nn.Linear(1, 1)`` under seeds ``first_seed`` … ``first_seed + n − 1``, [n] float32 each.

    PyTorch's CPU generator is mt19937 seeded with the low 32 bits (Matsumoto and Nishimura, 1998). ``nn.Linear`` takes its
    first two outputs, which depend on the seeded words 0, 1, 2, 397 and 398 alone, and makes of 24 bits of each a
    number uniform in [−1, 1), the bound of ``kaiming_uniform_(a=√5)`` at one input.
    """
    weight, bias = torch.empty(n, dtype=torch.float32, device="cpu"), torch.empty(n, dtype=torch.float32, device="cpu")
    block = 1 << 18  # fits the second-level cache; the 398 passes below then stay out of memory
    for begin in range(0, n, block):
        count = min(block, n - begin)
        weight[begin : begin + count], bias[begin : begin + count] = starts(
            torch.arange(count, dtype=torch.int64, device="cpu") + ((first_seed + begin) & 0xFFFFFFFF)
        )
    return weight, bias


def starts(seeds: Tensor) -> tuple[Tensor, Tensor]:
    """Weight and bias of ``nn.Linear(1, 1)`` under each seed, [n] int64 of which the low 32 bits count; [n] float32 each."""
    words = _seeded_words(_wrapped(seeds))
    return _uniform(_output(words, 0)), _uniform(_output(words, 1))


def repeated_starts(seeds: Tensor) -> tuple[Tensor, Tensor]:
    """The same of seeds that may be there more than once; computed once for each."""
    distinct, place = seeds.unique(return_inverse=True)
    weight, bias = starts(distinct)
    return weight[place], bias[place]


def _wrapped(values: Tensor) -> Tensor:
    """The low 32 bits, as int32."""
    return ((values + 2**31) % 2**32 - 2**31).to(torch.int32)


def _signed(word: int) -> int:
    return word - 2**32 if word >= 2**31 else word


def _shift_right(words: Tensor, bits: int) -> Tensor:
    """Logical shift of 32-bit words, which PyTorch shifts arithmetically."""
    return (words >> bits) & ((1 << (32 - bits)) - 1)


def _seeded_words(seeds: Tensor) -> dict[int, Tensor]:
    """The words of the seeded mt19937 state that its first two outputs need: index → [n] int32."""
    word, high = seeds.clone(), torch.empty_like(seeds)
    kept = {0: seeds}
    for i in range(1, 399):
        torch.bitwise_right_shift(word, 30, out=high)
        word.bitwise_xor_(high.bitwise_and_(3)).mul_(1812433253 - 2**32).add_(i)
        if i in (1, 2, 397, 398):
            kept[i] = word.clone()
    return kept


def _output(words: dict[int, Tensor], i: int) -> Tensor:
    """Output ``i`` (0 or 1) of mt19937: one twist, then tempering; [n] int32."""
    mixed = (words[i] & -(2**31)) | (words[i + 1] & (2**31 - 1))
    y = words[i + 397] ^ _shift_right(mixed, 1) ^ ((mixed & 1) * _signed(0x9908B0DF))
    y = y ^ _shift_right(y, 11)
    y = y ^ ((y << 7) & _signed(0x9D2C5680))
    y = y ^ ((y << 15) & _signed(0xEFC60000))
    return y ^ _shift_right(y, 18)


def _uniform(words: Tensor) -> Tensor:
    """What ``uniform_(-1, 1)`` makes of 32 random bits: the low 24 of them, scaled; [n] float32."""
    return (words & 0xFFFFFF).to(torch.float32) * 2.0**-24 * 2.0 - 1.0
