"""Traces of one machine: its paths and the addresses of its package registry have no place in the tree."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.rules.source import Finding

# Written so that this file does not match itself.
TRACES = {
    "a path of one machine": re.compile(r"(?<![\w.~}/-])/(?:root|work|workspaces?|builds|home/\w+|Users/\w+)/"),
    "the address of a package registry": re.compile(
        r"index-url\s*[= ]\s*[\"']?http|[f]ind-links\s*[= ]\s*[\"']?[a-z/.]*/|https?://\S*/simple\b|https?://\S+\.whl"
        r"|\"resolved\"\s*:\s*\"http|files\.python[h]osted"
    ),
}
LOCK_FILES = frozenset({"uv.lock", "pylock.toml", "poetry.lock", "Pipfile.lock"})
NOT_OURS = frozenset(
    {
        ".git",
        ".hypothesis",
        ".idea",
        ".parlance",
        ".venv",
        ".vscode",
        "__pycache__",
        "build",
        "dist",
        "node_modules",
        "site",
    }
)
NOT_OURS_SUFFIX = ("_cache", ".egg-info")
MAX_BYTES = 2_000_000


def find(tree: Path) -> list[Finding]:
    """Text that names a machine's path or a registry, and lock files that do."""
    return [finding for file in own_files(tree) for finding in look_at(file, file.relative_to(tree).as_posix())]


def look_at(file: Path, path: str) -> Iterator[Finding]:
    """The traces in one file."""
    if file.name in LOCK_FILES:
        yield Finding(path, 1, "a lock file that holds registry addresses: pins belong in requirements/*.txt")
        return
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return
    for number, line in enumerate(text.splitlines(), 1):
        for name, pattern in TRACES.items():
            if found := pattern.search(line):
                yield Finding(path, number, f"{name}: {found[0]}")


def own_files(tree: Path) -> Iterator[Path]:
    """The files that belong to the project: no environments, caches, data folders or local settings."""
    for folder, folders, files in os.walk(tree):
        folders[:] = sorted(name for name in folders if is_own_folder(Path(folder, name)))
        for name in sorted(files):
            file = Path(folder, name)
            if name != ".env" and not file.is_symlink() and file.stat().st_size <= MAX_BYTES:
                yield file


def is_own_folder(folder: Path) -> bool:
    """Whether a folder belongs to the project."""
    if folder.name in NOT_OURS or folder.name.endswith(NOT_OURS_SUFFIX):
        return False
    return not (folder / "pyvenv.cfg").exists()
