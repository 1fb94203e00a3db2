"""JSON texts that are not quite Unicode, mended before they are decoded or encoded."""

import re
from typing import Final

import msgspec

_ESCAPE: Final = re.compile(
    rb"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<lone>\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)
_REPLACEMENT: Final = b"\\ufffd"
_strict_encode: Final = msgspec.json.Encoder().encode


def mend_json(text: bytes) -> bytes:
    """The same JSON with U+FFFD for each half of a surrogate pair and for bytes that are no UTF-8.

    Servers that stream token by token cut emoji in two; a strict decoder takes the half for a cut text.
    """
    return _ESCAPE.sub(lambda found: _REPLACEMENT if found["lone"] else found[0], _mend_bytes(text))


def _mend_bytes(text: bytes) -> bytes:
    try:
        text.decode()
    except UnicodeDecodeError:
        return text.decode("utf-8", "replace").encode()
    return text


def mend_value(value: object) -> object:
    """Builtins with U+FFFD for each lone surrogate in their texts, which no JSON encoder takes."""
    match value:
        case str():
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case list() | tuple():
            return [mend_value(one) for one in value]
        case dict():
            return {mend_value(key): mend_value(one) for key, one in value.items()}
        case _:
            return value


def encode_json(value: object) -> bytes:
    """JSON, also of texts with lone surrogates: one must not end a stream."""
    try:
        return _strict_encode(value)
    except UnicodeEncodeError:
        return _strict_encode(mend_value(msgspec.to_builtins(value, enc_hook=_decode_raw)))


def _decode_raw(value: object) -> object:
    """Raw JSON inside a value, which nothing but an encoder takes as it is."""
    if isinstance(value, msgspec.Raw):
        return msgspec.json.decode(mend_json(bytes(value)) or b"null")
    raise TypeError(f"{type(value).__name__} is no JSON")
