"""Examines variants briefly: fewer probes, steps and repetitions, where a test is not about what the examination finds.

As a pytest plugin it does so for a run of the suites; ``tests/conftest.py`` does it for every test that is not marked ``examination``.
"""

from targetrl_core import examination

BRIEF = {"PROBE_LEAST": 8, "FEWER_STEPS": (5, 7), "OTHER_STEPS": (23, 29), "AGAIN": 2, "PLAIN_POLICIES": range(20, 40)}
"""Of ``targetrl_core.examination``."""


def pytest_configure() -> None:
    """From the start of the run on."""
    vars(examination).update(BRIEF)
