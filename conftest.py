"""Loads the suites' plugin: pytest has to know its options before it knows where the suites are."""

pytest_plugins = ["bench.plugin"]
