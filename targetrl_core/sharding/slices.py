"""Which policies a shard trains: contiguous slices, as equal as can be."""

from targetrl_core.finishing import ALIGNED


def slice_of(n: int, shard: int, shards: int) -> range:
    """The policies of a shard. Slices begin at multiples of ``ALIGNED``; of a small population some may be empty."""
    blocks = -(-n // ALIGNED)
    start, stop = (min(blocks * edge // shards * ALIGNED, n) for edge in (shard, shard + 1))
    return range(start, stop)
