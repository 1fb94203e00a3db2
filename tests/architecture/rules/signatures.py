"""What crosses a module's border has a type: no `Any` in it, and no `**kwargs` handed on."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.rules.source import (
    FUNCTION_NODES,
    Finding,
    Module,
    functions,
    is_public,
    public_nodes,
    python_modules,
)


def find(tree: Path) -> list[Finding]:
    """`Any` in public signatures and fields; `**` parameters anywhere."""
    return [finding for module in python_modules(tree) for rule in (untyped, open_ended) for finding in rule(module)]


def untyped(module: Module) -> Iterator[Finding]:
    """Public functions, fields and constants whose annotations say `Any`."""
    for owner, node in public_nodes(module):
        name, annotations = border(node)
        if is_public(name) and any(says_any(annotation) for annotation in annotations):
            full_name = f"{owner.name}.{name}" if owner else name
            yield Finding(module.path, node.lineno, f"`{full_name}` lets `Any` across the module's border")


def open_ended(module: Module) -> Iterator[Finding]:
    """Functions with a `**` parameter."""
    for function in functions(module):
        if function.args.kwarg:
            line = function.args.kwarg.lineno
            yield Finding(
                module.path, line, f"`{function.name}` takes `**{function.args.kwarg.arg}`: name its parameters"
            )


def border(node: ast.stmt) -> tuple[str, list[ast.expr]]:
    """The name of a statement's subject and the annotations that it shows to others."""
    if isinstance(node, FUNCTION_NODES):
        arguments = node.args
        taken = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        taken += [extra for extra in (arguments.vararg, arguments.kwarg) if extra]
        shown = [argument.annotation for argument in taken] + [node.returns]
        return node.name, [annotation for annotation in shown if annotation]
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return node.target.id, [node.annotation]
    return "_", []


def says_any(annotation: ast.expr) -> bool:
    """Whether `Any` stands in an annotation, quoted ones too."""
    for node in ast.walk(annotation):
        match node:
            case ast.Name(id="Any") | ast.Attribute(attr="Any"):
                return True
            case ast.Constant(value=str(text)) if "Any" in text.replace("[", " ").replace("]", " ").split():
                return True
    return False
