"""Evidence: what a run of the suites leaves in results/, how it is written, and how it is read."""
