"""Timing behind the gate: pools that are certified, rounds that are checked, and a clock that is tested first."""
