"""The rules on pins, documents and contracts, shown to fail on a copy of the tree with one thing broken."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.architecture.rules import documents, floors, pins
from tests.architecture.rules.source import Finding

ROOT = Path(__file__).resolve().parents[2]

Rule = Callable[[Path], Sequence[Finding]]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """What these rules read, copied."""
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "CHANGELOG.md"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")


@pytest.mark.parametrize("rule", [pins.find, documents.find, floors.find])
def test_a_faithful_copy_breaks_no_rule(rule: Rule, tree: Path) -> None:
    assert [*rule(tree)] == []


CHANGES: list[tuple[Rule, str, str, str, str]] = [
    (pins.find, "requirements/dev.txt", "pytest==", "pytest>=", "not an exact version with a hash"),
    (pins.find, "requirements/dev.txt", "pytest==", f"-i {'https'}://packages.example\npytest==", "an address"),
    (pins.find, "requirements/runtime.txt", "aiohttp==", "other==", "aiohttp is not pinned"),
    (pins.find, "requirements/dev.txt", "msgspec==", "msgspec==9", "does not fit"),
    (pins.find, "requirements/dev.txt", "yarl==", "yarl==9", "in runtime.txt: run script/pin"),
    (pins.find, "pyproject.toml", 'requires = ["uv_build', 'requires = ["x", "uv_build', "`build` differ"),
    (documents.find, "pyproject.toml", 'version = "0', 'version = "9', "but parlance.__version__ is"),
    (documents.find, "CHANGELOG.md", "## [0", "## [9", "no section for version"),
    (documents.find, "CHANGELOG.md", "# Changelog", "[gone](docs/gone.md)", "a link to nowhere: docs/gone.md"),
    (floors.find, "pyproject.toml", '"parlance.access", ', "", "add parlance.access to"),
]


@pytest.mark.parametrize(("rule", "path", "old", "new", "message"), CHANGES)
def test_one_change_breaks_a_rule(rule: Rule, path: str, old: str, new: str, message: str, tree: Path) -> None:
    change(tree / path, old, new)
    assert message in "\n".join(map(str, rule(tree)))


def test_a_requirement_without_its_hashes_fails(tree: Path) -> None:
    file = tree / "requirements/runtime.txt"
    kept = [line for line in file.read_text(encoding="utf-8").splitlines() if "--hash" not in line]
    file.write_text("\n".join(kept), encoding="utf-8")
    assert "not an exact version with a hash" in str(pins.find(tree)[0])


def test_a_new_room_must_be_placed_in_every_contract(tree: Path) -> None:
    (tree / "src/parlance/attic").mkdir()
    (tree / "src/parlance/attic/__init__.py").touch()
    assert len(floors.find(tree)) == len(floors.FLOORS)


def test_a_decision_that_is_not_listed_fails(tree: Path) -> None:
    folder = tree / "docs/adr"
    folder.mkdir(parents=True)
    (folder / "README.md").write_text("- [One](0001-one.md)\n")
    (folder / "0001-one.md").touch()
    (folder / "0002-two.md").touch()
    assert [finding.path for finding in documents.decisions(tree)] == ["docs/adr/0002-two.md"]
