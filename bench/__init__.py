"""Suites that time the training step, and what reads their results. Imports targetrl_core, never the reverse."""
