"""Names and ids as this language takes them: letters, digits, `_` and `-`."""

import re
from hashlib import sha256
from typing import Final

LONGEST_NAME: Final = 128
_LONGEST_ID: Final = 64
_UNDERSCORE: Final = ord("_")
_TAKEN: Final = re.compile(r"[A-Za-z0-9_-]")
_ESCAPED: Final = re.compile(r"_x([0-9a-f]{1,6})_")


def encode_name(name: str) -> str:
    """A tool's name, with `_x…_` for each character that is not taken: so it can be read back without a table."""
    escaped = _escape(name)
    if decode_name(escaped) != name:
        # Something in it looks like an escape, so what begins one is escaped too.
        escaped = "_x5f_x".join(map(_escape, name.split("_x")))
    return escaped if len(escaped) <= LONGEST_NAME else f"{escaped[: LONGEST_NAME - 17]}_{_digest(name)[:16]}"


def decode_name(name: str) -> str:
    """The name behind an encoded one."""
    return _ESCAPED.sub(_unescape, name) if "_x" in name else name


def encode_id(id: str) -> str:
    """A call's id, the same for the call and its result."""
    fits = 0 < len(id) <= _LONGEST_ID and all(map(_TAKEN.match, id))
    return id if fits else f"toolu_{_digest(id)[:32]}"


def _escape(name: str) -> str:
    return "".join(one if _TAKEN.match(one) else f"_x{ord(one):x}_" for one in name)


def _unescape(found: re.Match[str]) -> str:
    number = int(found[1], 16)
    # Only what is never taken was escaped, and `_`: any other likeness is the name itself.
    known = number <= 0x10FFFF and (number == _UNDERSCORE or not _TAKEN.match(chr(number)))
    return chr(number) if known else found[0]


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8", "replace")).hexdigest()
