"""How outputs go from step to step, by the oracle and by every variant, and where policies end: evidence for the page's pictures."""
