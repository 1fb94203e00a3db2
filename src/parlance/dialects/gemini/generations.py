"""What the generations of models differ in, by their names. An unknown name counts as of the newest generation."""

import re
from typing import Final

_OLD: Final = re.compile(r"(?:^|/)(?:gemini-[12]\b|gemini-pro(?:-vision)?$|gemma|learnlm)")
_NEVER_THINKS: Final = re.compile(
    r"(?:^|/)(?:gemini-1\b|gemini-2\.0(?!.*thinking)|gemini-pro(?:-vision)?$|gemma|learnlm)"
)


def checks_signatures(model: str) -> bool:
    """Whether it refuses calls in the history that lack a signature. Such a model also thinks by levels."""
    return _OLD.search(model) is None


def thinks(model: str) -> bool:
    """Whether it takes a `thinkingConfig` at all."""
    return _NEVER_THINKS.search(model) is None
