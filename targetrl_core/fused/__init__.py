"""The fused kernel: ``policy.h`` is its one body, ``start.h`` the start of a population, and each device has a thin launcher."""
