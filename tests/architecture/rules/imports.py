"""Imports stand at the top of a file, but for the composition root and for heavy libraries in their owners."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.rules.source import Finding, Module, functions, python_modules

LAZY_ROOMS = ("app/",)

# The module or room that owns an optional or heavy library, or the way to one, and may import it where it is used.
OWNERS: dict[str, frozenset[str]] = {
    "net/egress.py": frozenset({"parlance.net.proxied"}),
    "routing/prices.py": frozenset({"genai_prices"}),
    "store/listening.py": frozenset({"asyncpg"}),
    "store/migrating.py": frozenset({"alembic"}),
    "store/postgresql.py": frozenset({"asyncpg"}),
}


def find(tree: Path, owners: dict[str, frozenset[str]] = OWNERS) -> list[Finding]:
    """Imports inside functions, where neither the place nor the library allows it."""
    return [
        Finding(module.path, line, f"`{library}` is imported inside a function: move it to the top of the file")
        for module in python_modules(tree)
        if not module.path.startswith(LAZY_ROOMS)
        for line, library in hidden_imports(module)
        if not {library, library.partition(".")[0]} & owners.get(module.path, frozenset())
    ]


def hidden_imports(module: Module) -> Iterator[tuple[int, str]]:
    """Lines and libraries of all imports inside functions, once each."""
    hidden = {
        node
        for function in functions(module)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    for node in sorted(hidden, key=lambda node: node.lineno):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
        yield from ((node.lineno, name) for name in names)
