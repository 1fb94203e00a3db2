"""A language is entered by its modules: its `__init__` offers nothing, so that the contract on imports sees them."""

import ast
from pathlib import Path

from tests.architecture.rules.source import Finding, python_modules


def find(tree: Path) -> list[Finding]:
    """Languages whose `__init__` holds more than its docstring."""
    return [
        Finding(module.path, node.lineno, "a language's folder offers nothing itself: import from its modules")
        for module in python_modules(tree)
        if module.path.startswith("dialects/") and module.path.endswith("/__init__.py")
        for node in module.syntax.body
        if not is_text(node)
    ]


def is_text(node: ast.stmt) -> bool:
    """Whether a statement is a docstring."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
