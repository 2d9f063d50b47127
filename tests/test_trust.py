"""SECURITY.md claims nothing that no test holds."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(tests/\w+\.py)::(\w+)`", PAGE)))
UNTRUSTED = PAGE.partition("## Not trusted")[2].partition("## Trusted")[0]


@pytest.mark.parametrize(("file", "name"), NAMED, ids=[name for _, name in NAMED])
def test_the_tests_that_it_names_exist(file: str, name: str) -> None:
    """Each is a test of that file, which is not skipped or expected to fail for good."""
    functions = {node.name: node for node in ast.parse((ROOT / file).read_text()).body if isinstance(node, ast.FunctionDef)}
    assert name.startswith("test_")
    assert name in functions
    marks = [ast.unparse(mark) for mark in functions[name].decorator_list]
    assert not [mark for mark in marks if mark.startswith(("pytest.mark.skip(", "pytest.mark.xfail"))]


def test_every_claim_has_a_test() -> None:
    """Each thing that is not trusted has a list of tests below it, and nothing that looks like a test is named in another way."""
    claims = re.split(r"^(?=\*\*)", UNTRUSTED, flags=re.MULTILINE)[1:]
    assert len(claims) >= 6
    for claim in claims:
        assert re.search(r"^- .*`tests/\w+\.py::\w+`", claim, re.DOTALL | re.MULTILINE), claim
    assert len(re.findall(r"test_\w+`", PAGE)) == len(re.findall(r"`tests/\w+\.py::\w+`", PAGE))
