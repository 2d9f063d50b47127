"""The ways to execute the step: ``VARIANTS`` is the one tuple that everything iterates, built-in ones first, then installed ones."""

from targetrl_core.errors import UsageError, one_of
from targetrl_core.variants.batched import BATCHED
from targetrl_core.variants.batched_compiled import BATCHED_COMPILED
from targetrl_core.variants.batched_graphed import BATCHED_GRAPHED
from targetrl_core.variants.batched_vmap import BATCHED_VMAP
from targetrl_core.variants.compiled import COMPILED
from targetrl_core.variants.eager import EAGER
from targetrl_core.variants.fused import FUSED
from targetrl_core.variants.installed import installed_variants
from targetrl_core.variants.variant import Train, Variant

BUILT_IN: tuple[Variant, ...] = (EAGER, COMPILED, BATCHED_VMAP, BATCHED, BATCHED_COMPILED, BATCHED_GRAPHED, FUSED)
VARIANTS: tuple[Variant, ...] = (*BUILT_IN, *installed_variants([variant.name for variant in BUILT_IN]))


def find_variant(name: str) -> Variant:
    """The variant of that name.

    Raises:
        UsageError: no such variant, with the names there are.
    """
    for variant in VARIANTS:
        if variant.name == name:
            return variant
    raise UsageError(f"variant is {name!r}; it must be one of {one_of(variant.name for variant in VARIANTS)}")


__all__ = ["BUILT_IN", "VARIANTS", "Train", "Variant", "find_variant"]
