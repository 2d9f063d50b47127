"""Sweeps: a grid of constants and starts, trained as one population.

``axes`` says what may vary, ``grid`` makes problem and population of any part of it, ``run`` trains it, ``labels`` names what came out
for Python, ``table`` for files, and ``lines`` for the terminal.
"""

from targetrl_core.sweeps.labels import sweep

__all__ = ["sweep"]
