"""A pytest plugin under which the suites pass honest rows whatever else the machine does.

The clock's test finds nothing, two clocks may part, and no limit that was measured beside other work is too low for a row.
"""

from bench import session
from bench.evidence.schema import Limits
from bench.limit import measure
from bench.timing import guards
from tests.scripted import CLOCK

HIGH = Limits(additions=1e15, multiplications=1e15, divisions=1e15, roots=1e15, copied_bytes=1e15)


def pytest_configure() -> None:
    """What is looked at at any time of the session."""
    vars(session)["clock_test"] = lambda *_: CLOCK
    vars(guards)["TOLERANCE"] = 1.0
    vars(measure)["measure"] = lambda _device: HIGH
