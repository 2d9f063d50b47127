"""Timing behind the gate: rounds that nobody can foresee and that are checked, and a clock that is tested first."""
