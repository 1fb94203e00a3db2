"""Sizes: lines of a file, lines and parameters of a function; and the list of exceptions, which only shrinks."""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.architecture.rules.source import Finding, Module, functions, parameters, python_modules

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60
MAX_PARAMETERS = 6


class Size(NamedTuple):
    """One thing that is larger than its limit."""

    rule: str
    path: str
    name: str
    size: int
    line: int
    limit: int


class Exemption(NamedTuple):
    """Leave to be larger than the limit, for a reason. It holds for exactly the size written down."""

    rule: str
    path: str
    name: str
    size: int
    reason: str


def find(tree: Path, exemptions: list[Exemption]) -> list[Finding]:
    """What is too large without leave, and leave that is no longer needed or could be tightened."""
    sizes = [size for module in python_modules(tree) for size in oversized(module)]
    allowed = {(exemption.rule, exemption.path, exemption.name): exemption for exemption in exemptions}
    findings = [finding for size in sizes if (finding := judge(size, allowed))]
    needed = {(size.rule, size.path, size.name) for size in sizes}
    return findings + [
        Finding(exemption.path, 1, f"{exemption.rule} of {exemption.name} needs its exception no longer: delete it")
        for key, exemption in allowed.items()
        if key not in needed
    ]


def judge(size: Size, allowed: dict[tuple[str, str, str], Exemption]) -> Finding | None:
    """What is wrong with one oversized thing, if anything."""
    exemption = allowed.get((size.rule, size.path, size.name))
    if exemption is None:
        return Finding(size.path, size.line, f"{size.name}: {size.rule} {size.size}, more than {size.limit}")
    if size.size > exemption.size:
        return Finding(size.path, size.line, f"{size.name}: {size.rule} grew from {exemption.size} to {size.size}")
    if size.size < exemption.size:
        return Finding(size.path, size.line, f"{size.name}: {size.rule} shrank: set its exception to {size.size}")
    return None


def oversized(module: Module) -> Iterator[Size]:
    """Everything in a module that is larger than its limit."""
    lines = len(module.text.splitlines())
    if lines > MAX_FILE_LINES:
        yield Size("file_lines", module.path, module.path, lines, 1, MAX_FILE_LINES)
    for function in functions(module):
        lines = (function.end_lineno or function.lineno) - function.lineno + 1
        if lines > MAX_FUNCTION_LINES:
            yield Size("function_lines", module.path, function.name, lines, function.lineno, MAX_FUNCTION_LINES)
        count = len(parameters(function))
        if count > MAX_PARAMETERS:
            yield Size("parameters", module.path, function.name, count, function.lineno, MAX_PARAMETERS)


def read_exemptions(file: Path) -> list[Exemption]:
    """The list of exceptions. Each must give a reason."""
    rows = tomllib.loads(file.read_text(encoding="utf-8")).get("exception", [])
    exemptions = [Exemption(**row) for row in rows]
    for exemption in exemptions:
        if len(exemption.reason.split()) < 3:
            raise ValueError(f"{file.name}: the exception for {exemption.path} gives no reason")
    return exemptions
