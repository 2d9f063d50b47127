"""What docs/ shows: pages and pictures made of runs of the core in portable arithmetic, so that every machine makes the same ones."""
