"""What the generations of models differ in, by their names. An unknown name counts as of the newest generation."""

import re
from typing import Final

_OLD: Final = re.compile(r"(?:^|/)(?:gemini-[12]\b|gemini-pro(?:-vision)?$|gemma|learnlm)")
_NEVER_THINKS: Final = re.compile(
    r"(?:^|/)(?:gemini-1\b|gemini-2\.0(?!.*thinking)|gemini-pro(?:-vision)?$|gemma|learnlm)"
)
_TAKES_MINIMAL: Final = re.compile(r"(?:^|/)gemini-3(?:\.[0-6])?-flash")
_NEVER_RESTS: Final = re.compile(r"(?:^|/)gemini-2\.5-pro")


def checks_signatures(model: str) -> bool:
    """Whether it refuses calls in the history that lack a signature. Such a model also thinks by levels."""
    return _OLD.search(model) is None


def thinks(model: str) -> bool:
    """Whether it takes a `thinkingConfig` at all."""
    return _NEVER_THINKS.search(model) is None


def takes_minimal(model: str) -> bool:
    """Whether the least level of thinking is one of its own; `LOW` is one of all."""
    return _TAKES_MINIMAL.search(model) is not None


def never_rests(model: str) -> bool:
    """Whether it refuses a budget of 0."""
    return _NEVER_RESTS.search(model) is not None
