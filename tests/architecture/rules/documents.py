"""Documents say what the code says: versions, the list of decisions, links that lead somewhere.

What is not written yet is no breach."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.rules.source import Finding

LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?P<target>[^)\s]+)\)")
ELSEWHERE = ("http://", "https://", "mailto:", "#")


def find(tree: Path) -> list[Finding]:
    """Versions that differ, decisions that are not listed, links that lead nowhere."""
    return [*versions(tree), *decisions(tree), *links(tree)]


def versions(tree: Path) -> Iterator[Finding]:
    """The package's version stands in pyproject.toml and in the change log."""
    version = package_version(tree)
    project = tomllib.loads((tree / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    if project["version"] != version:
        yield Finding("pyproject.toml", 1, f"version {project['version']}, but parlance.__version__ is {version}")
    if f"## [{version}]" not in (tree / "CHANGELOG.md").read_text(encoding="utf-8"):
        yield Finding("CHANGELOG.md", 1, f"no section for version {version}")


def package_version(tree: Path) -> str:
    """`parlance.__version__`, read without importing it."""
    syntax = ast.parse((tree / "src/parlance/__init__.py").read_text(encoding="utf-8"))
    for node in syntax.body:
        match node:
            case ast.Assign(targets=[ast.Name(id="__version__")], value=ast.Constant(value=str(version))):
                return version
            case _:
                pass
    return ""


def decisions(tree: Path) -> Iterator[Finding]:
    """Each page of docs/adr is listed in its README."""
    folder = tree / "docs/adr"
    index = folder / "README.md"
    listed = index.read_text(encoding="utf-8") if index.exists() else ""
    for page in sorted(folder.glob("*.md")):
        if page != index and f"({page.name})" not in listed:
            yield Finding(f"docs/adr/{page.name}", 1, "not listed in docs/adr/README.md")


def links(tree: Path) -> Iterator[Finding]:
    """Each relative link of a page leads to a file."""
    for page in sorted([*tree.glob("*.md"), *(tree / "docs").rglob("*.md")]):
        for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
            for match in LINK.finditer(line):
                target = match["target"].partition("#")[0]
                if not match["target"].startswith(ELSEWHERE) and not (page.parent / target).exists():
                    yield Finding(page.relative_to(tree).as_posix(), number, f"a link to nowhere: {target}")
