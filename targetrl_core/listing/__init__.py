"""The listing: a policy σ(w·x + b) that a reward pushes toward a target output. What the program knows of it alone is here."""
