"""Why a row has no number: filed as what it is, in one line that names no one."""

from pathlib import Path

import pytest

from bench.evidence.reasons import LONGEST, one_line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("\n  first\nsecond", "first"),
        ("", "no reason given"),
        ("no /home/jane.doe here", "no … here"),
        ("in /home/jane/project/step.py, line 3", "in step.py, line 3"),
        ("in '/tmp/a/b'", "in '…'"),
        (r"in C:\Users\jane\step.py", "in step.py"),
        ("see file:///home/jane/x.txt", "see x.txt"),
        (f"in {Path.home()}/project/source/step.py", "in step.py"),
        ("see https://pytorch.org/docs/stable and 3 policy-steps/s", "see https://pytorch.org/docs/stable and 3 policy-steps/s"),
        ("x" * 1000, "x" * LONGEST),
    ],
)
def test_a_reason_is_one_line_without_paths(text: str, line: str) -> None:
    """Of what an exception says the first line stands, and of a path at most its last part."""
    assert one_line(text) == line
