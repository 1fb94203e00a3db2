"""What every rule needs: a finding, the Python files of a tree, and their syntax. No rule lives here."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

FUNCTION_NODES = (ast.FunctionDef, ast.AsyncFunctionDef)
Function = ast.FunctionDef | ast.AsyncFunctionDef


class Finding(NamedTuple):
    """One breach of one rule. `path` is relative to the tree that was looked at, with `/`."""

    path: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}"


class Module(NamedTuple):
    """One Python file of a tree."""

    path: str
    text: str
    syntax: ast.Module


def python_modules(tree: Path) -> Iterator[Module]:
    """Every Python file under `tree`, in the order of their paths."""
    for file in sorted(tree.rglob("*.py")):
        text = file.read_text(encoding="utf-8")
        yield Module(file.relative_to(tree).as_posix(), text, parsed(text))


@cache
def parsed(text: str) -> ast.Module:
    """The syntax of one file's text; each file is parsed once for all rules."""
    return ast.parse(text)


def functions(module: Module) -> Iterator[Function]:
    """Every function and method of a module, inner ones too."""
    for node in ast.walk(module.syntax):
        if isinstance(node, FUNCTION_NODES):
            yield node


def parameters(function: Function) -> list[ast.arg]:
    """The named parameters of a function, without `self` and `cls`."""
    named = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    return [parameter for parameter in named if parameter.arg not in {"self", "cls"}]


def is_public(name: str) -> bool:
    """Whether a name may be used outside its module. `__init__` and its like may."""
    return not name.startswith("_") or (name.startswith("__") and name.endswith("__"))


def public_nodes(module: Module) -> Iterator[tuple[ast.ClassDef | None, ast.stmt]]:
    """What others can reach: each public statement of the module and of its public classes, with its class."""
    for statement in module.syntax.body:
        if isinstance(statement, ast.ClassDef):
            if is_public(statement.name):
                yield from ((statement, member) for member in statement.body)
        else:
            yield None, statement
