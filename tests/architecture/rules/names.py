"""Names that say nothing about what a thing is, and dictionaries called `ctx` or `metadata` that cross a border."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from tests.architecture.rules.source import Finding, Module, functions, is_public, parameters, python_modules

EMPTY_WORDS = frozenset(
    "util utils helper helpers common misc manager managers handler handlers service services".split()
)
BAG_NAMES = frozenset({"ctx", "metadata"})
BAG_TYPES = frozenset({"dict", "Dict", "Mapping", "MutableMapping"})


def find(tree: Path) -> list[Finding]:
    """Modules, classes and parameters whose names are empty words or bags."""
    return [
        finding
        for module in python_modules(tree)
        for rule in (module_names, class_names, bags)
        for finding in rule(module)
    ]


def module_names(module: Module) -> Iterator[Finding]:
    """Empty words in the path of a module."""
    for part in PurePosixPath(module.path).with_suffix("").parts:
        empty = empty_words(part.strip("_").split("_"))
        if empty:
            yield Finding(module.path, 1, f"`{part}` says nothing: {', '.join(sorted(empty))}")


def class_names(module: Module) -> Iterator[Finding]:
    """Empty words in the names of classes. A class that extends a library's may bear the word that its base bears."""
    for node in ast.walk(module.syntax):
        if not isinstance(node, ast.ClassDef):
            continue
        inherited = {word for base in node.bases for name in names_in(base) for word in words_of(name)}
        empty = empty_words(words_of(node.name)) - inherited
        if empty:
            yield Finding(module.path, node.lineno, f"class `{node.name}` says nothing: {', '.join(sorted(empty))}")


def words_of(class_name: str) -> list[str]:
    """`HTTPHandler` is `http`, `handler`."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z][a-z0-9]*", class_name)]


def empty_words(words: list[str]) -> set[str]:
    """The words that say nothing; `base` does so before another."""
    return {word for word in words if word in EMPTY_WORDS} | (
        {"base"} if words[:1] == ["base"] and words[1:] else set()
    )


def bags(module: Module) -> Iterator[Finding]:
    """Public functions that take a dictionary called `ctx` or `metadata`: a type is missing."""
    for function in functions(module):
        if not is_public(function.name):
            continue
        for parameter in parameters(function):
            if parameter.arg in BAG_NAMES and BAG_TYPES & names_in(parameter.annotation):
                yield Finding(module.path, parameter.lineno, f"`{parameter.arg}` is a bag: give it a type of its own")


def names_in(expression: ast.expr | None) -> set[str]:
    """Every name and attribute in an annotation or a base class."""
    nodes = list(ast.walk(expression)) if expression else []
    return {node.id for node in nodes if isinstance(node, ast.Name)} | {
        node.attr for node in nodes if isinstance(node, ast.Attribute)
    }
