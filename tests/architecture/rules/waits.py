"""Tests wait for an event, never for time: no sleeping in them, but for giving way to other tasks."""

import ast
from pathlib import Path

from tests.architecture.rules.source import Finding, python_modules

# A probe looks again and again until things have settled; it is the one place that may.
ALLOWED = ("probes/",)


def find(tree: Path) -> list[Finding]:
    """Calls of anything named `sleep` with another argument than 0."""
    return [
        Finding(module.path, node.lineno, "a test sleeps: wait for the event that it needs")
        for module in python_modules(tree)
        if not module.path.startswith(ALLOWED)
        for node in ast.walk(module.syntax)
        if isinstance(node, ast.Call) and sleeps(node)
    ]


def sleeps(call: ast.Call) -> bool:
    """Whether a call passes time."""
    match call:
        case ast.Call(func=ast.Attribute(attr="sleep") | ast.Name(id="sleep"), args=[ast.Constant(value=0)]):
            return False
        case ast.Call(func=ast.Attribute(attr="sleep") | ast.Name(id="sleep")):
            return True
        case _:
            return False
