"""Comments: what is put off or switched off gives its reason beside it, and nothing is a banner."""

import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.rules.source import Finding, python_modules

PUT_OFF = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b:?(?P<reason>.*)")
SWITCHED_OFF = re.compile(
    r"(?P<switch>noqa|type: *ignore|pragma: *no cover|fmt: *off)"
    r"(?P<code>(?:: *[A-Z]+\d+(?:, *[A-Z]+\d+)*|\[[\w, -]+\])?)"
    r"(?P<reason>.*)"
)
NEEDS_CODE = ("noqa", "type")
BANNER = re.compile(r"#\s*([-=*#~_─═])\1{3,}")
MIN_REASON_WORDS = 3


def find(tree: Path) -> list[Finding]:
    """Bare TODOs and switches, and banners."""
    return [
        Finding(module.path, line, message)
        for module in python_modules(tree)
        for line, comment in comments(module.text)
        if (message := complaint(comment))
    ]


def complaint(comment: str) -> str | None:
    """What is wrong with a comment, if anything."""
    if BANNER.match(comment):
        return "a banner: names and files divide the code"
    put_off = PUT_OFF.search(comment)
    if put_off and not gives_reason(put_off["reason"]):
        return f"`{put_off[1]}` without a reason"
    switch = SWITCHED_OFF.search(comment)
    if switch and switch["switch"].startswith(NEEDS_CODE) and not switch["code"]:
        return f"`{switch['switch']}` without the code of what it switches off"
    if switch and not gives_reason(switch["reason"]):
        return f"`{switch['switch']}` without a reason"
    return None


def gives_reason(text: str) -> bool:
    """Whether some words follow."""
    return len(re.findall(r"\w+", text)) >= MIN_REASON_WORDS


def comments(text: str) -> Iterator[tuple[int, str]]:
    """Lines and texts of all comments."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
