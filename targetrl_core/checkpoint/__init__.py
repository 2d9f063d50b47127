"""Checkpoints of a streamed population: what a file holds, where the files are, and the stream that goes on from the newest."""
