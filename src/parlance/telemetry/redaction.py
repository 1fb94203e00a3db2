"""What may stand in a log: secrets are masked, unknown objects are named and not shown, nothing can forge a line."""

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, time, timedelta
from pathlib import PurePath
from urllib.parse import quote
from uuid import UUID

MASK = "***"

LONGEST_TEXT = 2_000
LONGEST_TRACEBACK = 16_000
MOST_ITEMS = 50
DEEPEST = 4

_SHORTEST_SECRET = 4
_SHORT_SECRET = 8
_LONG_SECRET = 32

_NAMED = (
    r"(?:api[-_]?key|authorization|pass(?:word|wd)|secret|(?:access|refresh|auth|id|session)[-_]token"
    r"|(?<=[?&])(?:key|token))"
)

# Each finds one kind of secret by its look; the group `keep` stays, the rest is masked.
_LOOKS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(?P<keep>\b(?:bearer|basic)\s+)[^\s\"',;]{6,}",
        r"(?P<keep>\bparlance[_.]key\.)[^\s\"',;]+",
        r"(?P<keep>)\bparlance_[\w-]{16,}",
        r"(?P<keep>)\b(?:sk|pk|rk)[-_][\w.*-]{6,}",
        r"(?P<keep>)\b(?:gsk|hf|xai|nvapi|ghp|gho|ghs|github_pat|glpat|xox[abeprs])[-_][\w-]{10,}",
        r"(?P<keep>)\bAIza[\w-]{20,}",
        r"(?P<keep>)\bAKIA[0-9A-Z]{12,}",
        r"(?P<keep>)\beyJ[\w-]{8,}\.[\w-]+\.?[\w-]*",
        r"(?P<keep>://[^\s:/@\"']*:)[^\s@\"']+(?=@)",
        rf"(?P<keep>{_NAMED}\\*[\"']?\s*[:=]\s*\\*)(?!bearer\b|basic\b)(?:\"[^\"]*\"|'[^']*'|[^\s\"',;&}}\])]+)",
    )
)

# Without one of these in a text no look finds anything: most texts in a log are done with by that.
_HINT = re.compile(
    r"key|pass|token|secret|api|auth|bearer|basic|parlance|[spr]k[-_]|gsk|hf[-_]|xai|nvapi|gh[pos]_|github|glpat|xox|akia|eyj|://"
)
_SHORTEST_LOOK = 8

_SECRET_FIELDS = re.compile(
    r"authorization|proxy_authorization|(?:set_)?cookie|credentials?|sec_websocket_protocol|token"
    r"|(?:.*_)?(?:api_?key|password|passwd|secret|access_token|refresh_token|auth_token|id_token)",
    re.IGNORECASE,
)

_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]")


class Redactor:
    """Masks the given secrets wherever they stand, and everything that looks like a key.

    A secret is also known by its quoted forms and, when it is long, by its beginning: a cut error text may hold no
    more of it. Short ones (under 8 characters) are masked where they stand as a word; those under 4 never.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms = {form for secret in secrets for form in _forms(secret.strip())}
        ordered = sorted(forms, key=len, reverse=True)
        self._exact = re.compile("|".join(ordered)) if ordered else None

    def text(self, text: str) -> str:
        if self._exact is not None:
            text = self._exact.sub(MASK, text)
        if len(text) >= _SHORTEST_LOOK and _HINT.search(text.lower()):
            for look in _LOOKS:
                text = look.sub(rf"\g<keep>{MASK}", text)
        return text

    def value(self, value: object, *, depth: int = 0) -> object:
        """The value as it may be logged: JSON, its texts redacted and cut.

        An object that is no plain value is only named: its repr may hold what users wrote.
        """
        match value:
            case int() if abs(value) >= 1 << 63:
                return f"<{type(value).__name__}>"
            case float() if not math.isfinite(value):
                return str(value)
            case None | int() | float():
                return value
            case str():
                return self.bounded(value, LONGEST_TEXT)
            case BaseException():
                return describe_error(value)
            case date() | time() | timedelta() | UUID() | PurePath():
                return self.text(str(value))
            case Mapping() if depth < DEEPEST:
                items = list(value.items())[:MOST_ITEMS]
                return {
                    cut(self.text(str(name)), 200): self.field(str(name), item, depth=depth) for name, item in items
                }
            case Sequence() | AbstractSet() if depth < DEEPEST and not isinstance(
                value, bytes | bytearray | memoryview
            ):
                return [self.value(item, depth=depth + 1) for item in list(value)[:MOST_ITEMS]]
            case _:
                return f"<{type(value).__name__}>"

    def bounded(self, text: str, limit: int) -> str:
        """At most `limit` characters. Far more of them are read, lest a secret be cut before it is known."""
        shown = cut(self.text(text[: 10 * limit]), limit)
        return shown if len(text) <= 10 * limit else f"{shown} (of {len(text)})"

    def field(self, name: str, value: object, *, depth: int = 0) -> object:
        """A named value: what is called a secret is masked, whatever it looks like."""
        if value and _SECRET_FIELDS.fullmatch(name.replace("-", "_")):
            return MASK
        return self.value(value, depth=depth + 1)


def describe_error(error: BaseException) -> str:
    """The class of an error, and its stable code if it has one. Its text is left out: it may quote a user."""
    code = getattr(error, "code", None)
    return f"{type(error).__name__} ({code})" if isinstance(code, str) else type(error).__name__


def escape(text: str) -> str:
    """One line, whatever was in it: control characters, line separators, marks of direction and lone surrogates are
    shown as escapes.
    """
    return _UNSAFE.sub(_escaped, text)


def escape_value(value: object) -> object:
    match value:
        case str():
            return escape(value)
        case dict():
            return {escape(str(name)): escape_value(item) for name, item in value.items()}
        case list():
            return [escape_value(item) for item in value]
        case _:
            return value


def cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"


def _escaped(match: re.Match[str]) -> str:
    return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(match[0]) or (
        f"\\x{ord(match[0]):02x}" if ord(match[0]) < 0x100 else f"\\u{ord(match[0]):04x}"
    )


_QUOTINGS: tuple[Callable[[str], str], ...] = (
    str,
    lambda secret: json.dumps(secret)[1:-1],
    lambda secret: repr(secret)[1:-1],
    lambda secret: quote(secret, safe="", errors="replace"),
)


def _forms(secret: str) -> set[str]:
    """Patterns for one secret."""
    if len(secret) < _SHORTEST_SECRET:
        return set()
    forms = {re.escape(quoting(secret)) for quoting in _QUOTINGS}
    if len(secret) < _SHORT_SECRET:
        return {rf"(?<!\w){form}(?!\w)" for form in forms}
    if len(secret) >= _LONG_SECRET and re.fullmatch(r"[\w.-]+", secret):
        forms.add(re.escape(secret[:16]) + r"[\w.-]*")
    return forms
