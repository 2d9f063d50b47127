"""History: what the policies put out before each update, which is what the listing prints."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

Tell = Callable[[int], object]


@dataclass(frozen=True)
class History:
    """Logits z and outputs o = σ(z) before each update, [steps, N] float32 each; ``tell`` is told how many each record holds."""

    logits: Tensor
    outputs: Tensor
    tell: Tell = lambda _policies: None

    @classmethod
    def empty(cls, steps: int, n: int, device: torch.device, tell: Tell = lambda _policies: None) -> Self:
        """A history to be filled; NaN wherever a variant leaves it out."""
        logits, outputs = (torch.full((steps, n), torch.nan, device=device, dtype=torch.float32) for _ in range(2))
        return cls(logits, outputs, tell)

    @staticmethod
    def bytes(steps: int, n: int) -> int:
        """Memory that a history takes."""
        return 8 * steps * n

    def rows(self, start: int, stop: int) -> Self:
        """The history of steps ``start`` … ``stop − 1`` alone, as views: what is recorded there is recorded here."""
        return type(self)(self.logits[start:stop], self.outputs[start:stop], self.tell)

    def record(self, step: int, logit: Tensor, output: Tensor, policies: slice = slice(None)) -> None:
        """Keep what ``policies`` put out before update ``step``."""
        self.logits[step, policies] = logit
        self.outputs[step, policies] = output
        self.tell(output.numel())
