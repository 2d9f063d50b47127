"""What a variant returned, of which one policy is read while the clock runs.

A process of a cold start imports this while its parent's clock runs: it takes nothing along but what trains.
"""

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor

from targetrl_core import Population


class Returned(NamedTuple):
    """A trained population, and what one policy's numbers were when it was returned.

    Attributes:
        trained: what the variant returned.
        place: which policy was read.
        numbers: of each state tensor the policy's number.
    """

    trained: Population
    place: int
    numbers: list[float]

    @classmethod
    def read(cls, trained: Population, place: int) -> "Returned":
        """Read a policy's numbers: a result that computes itself when it is looked at does so now, while the clock runs."""
        return cls(trained, place, numbers_of(Population.tensors(trained).values(), place))

    def faults(self) -> tuple[str, ...]:
        """Why the result is not what was returned, or nothing that can be trusted to be what it says."""
        if type(self.trained) is not Population:
            return (f"the result is of type {type(self.trained).__name__}; it must be a Population itself",)
        if numbers_of(Population.tensors(self.trained).values(), self.place) == self.numbers:
            return ()
        return (f"policy {self.place} of the result is another than when it was returned",)


def numbers_of(tensors: Iterable[Tensor], place: int) -> list[float]:
    """One policy's number in each tensor, [N] each; in one that is there twice, once. From a GPU they come in one transfer."""
    numbers = [tensor[place] for tensor in {id(tensor): tensor for tensor in tensors}.values()]
    if numbers[0].device.type == "cpu":
        return [number.item() for number in numbers]
    stacked: list[float] = torch.stack(numbers).tolist()
    return stacked
