"""Manifests of requirements and tests, bound both ways.

A test names the lines that it holds by its marks; a recorded exchange of a language, which the contract of languages
runs over, by its `holds.txt`.
"""

import re
import tomllib
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
MANIFESTS = sorted(Path(__file__).parent.glob("*.toml"))
_MARK = re.compile(r"mark\.requirement\(\s*\"([^\"]+)\"\s*\)")

MARKED = {id for path in TESTS.rglob("test_*.py") for id in _MARK.findall(path.read_text())}
RECORDED = {id for path in TESTS.glob("golden/dialects/*/*/holds.txt") for id in path.read_text().split()}
HELD = MARKED | RECORDED


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.stem)
def test_every_line_is_held_by_a_test_and_every_mark_has_its_line(path: Path) -> None:
    lines = tomllib.loads(path.read_text())
    assert set(lines) == {id for id in HELD if id.startswith(f"{path.stem}:")}
    assert all(line.endswith(".") for line in lines.values())
