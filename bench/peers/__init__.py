"""Peers: the step as users of other libraries would have it computed, each at its best, through the same gate. An optional extra."""

from bench.peers.jax_peers import JAX_GRAD, JAX_PALLAS, JAX_SCAN
from bench.peers.numba_blocks import NUMBA
from bench.peers.numpy_chunks import NUMPY
from targetrl_core import Variant

PEERS: tuple[Variant, ...] = (NUMPY, NUMBA, JAX_SCAN, JAX_GRAD, JAX_PALLAS)

__all__ = ["PEERS"]
