"""A vendor's name in a decision is a defect: differences between vendors are data in the catalogue, or a language."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.rules.source import Finding, python_modules

VENDORS = frozenset(
    (
        "anthropic azure bedrock cerebras claude cohere deepseek fireworks gemini google gpt grok groq huggingface "
        "llamacpp lmstudio mistral moonshot nvidia ollama openai openrouter perplexity qwen sambanova together "
        "vertex vllm xai"
    ).split()
)
ALLOWED = ("dialects/", "providers/catalog.py", "config/legacy.py")
TEXT_TESTS = frozenset({"startswith", "endswith", "removeprefix", "removesuffix", "count", "find", "index"})


def find(tree: Path) -> list[Finding]:
    """Comparisons, membership tests, `match` cases and text tests that name a vendor where none belongs."""
    return [
        Finding(module.path, line, f"a decision names the vendor `{vendor}`: make the difference data")
        for module in python_modules(tree)
        if not module.path.startswith(ALLOWED)
        for line, vendor in sorted({*vendors_decided(module.syntax)})
    ]


def vendors_decided(syntax: ast.Module) -> Iterator[tuple[int, str]]:
    """Lines and vendors named in what decides."""
    for node in ast.walk(syntax):
        for decider in deciders(node):
            for part in ast.walk(decider):
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    for vendor in VENDORS.intersection(re.split(r"[^a-z]+", part.value.lower())):
                        yield part.lineno, vendor


def deciders(node: ast.AST) -> list[ast.expr]:
    """The expressions of a node that something is compared with."""
    match node:
        case ast.Compare():
            return [node.left, *node.comparators]
        case ast.MatchValue():
            return [node.value]
        case ast.MatchMapping():
            return list(node.keys)
        case ast.Call(func=ast.Attribute(attr=name)) if name in TEXT_TESTS:
            return list(node.args)
        case _:
            return []
