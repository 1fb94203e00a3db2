"""JSON from outside: decoded into types, with errors that name the place, and bounded in depth before anything is
built.
"""

import re
from typing import TypeVar

import msgspec
from msgspec import Raw

from parlance.core.errors import Field, InvalidJson, InvalidRequest

JsonValue = None | bool | int | float | str | list["JsonValue"] | dict[str, "JsonValue"]
JsonObject = dict[str, JsonValue]

MAX_DEPTH = 64

T = TypeVar("T")

_ONE_KIND = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(set(range(256)) - {*b"[]{}"})
_HALF_PAIR = re.compile(rb"\\u[dD](?:[89abAB]..(?!\\u[dD][c-fC-F])|[c-fC-F])")


def decode_json(data: bytes | Raw | str, kind: type[T], *, at: str = "$") -> T:
    """One JSON text as `kind`.

    `InvalidJson` when it is none, `InvalidRequest` with the place when it is of another form.
    """
    if isinstance(data, str):
        data = data.encode("utf-8", "surrogatepass")
    data = bytes(data)
    _check_depth(data)
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError as error:
        raise _invalid(error, at) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidJson(_explain(data, error)) from None


def _invalid(error: msgspec.ValidationError, at: str) -> InvalidRequest:
    message, _, place = str(error).partition(" - at `")
    path = at + place.rstrip("`").removeprefix("$")
    return InvalidRequest(f"{path}: {message}.", fields=(Field(path, message),))


def _check_depth(data: bytes) -> None:
    # Counting settles nearly every message; only one with many brackets is looked at closely. All of it is done in C:
    # a few million brackets looked at one by one would hold up everybody.
    if data.count(b"[") + data.count(b"{") <= MAX_DEPTH:
        return
    texts_at_odd_places = data.replace(rb"\\", b"").replace(rb"\"", b"").split(b'"')
    brackets = b"".join(texts_at_odd_places[::2]).translate(_ONE_KIND, _NO_BRACKETS)
    depth = 0
    while depth <= MAX_DEPTH and b"[]" in brackets:
        # Each round takes away the innermost level, wherever it is.
        brackets = brackets.replace(b"[]", b"")
        depth += 1
    if depth + brackets.count(b"[") > MAX_DEPTH:
        raise InvalidRequest(f"The JSON is nested deeper than {MAX_DEPTH} levels. Send it flatter.")


def _explain(data: bytes, error: Exception) -> str:
    if _HALF_PAIR.search(data):
        return "Not valid JSON: a string holds half of a surrogate pair, which is no character. Send whole characters."
    if isinstance(error, UnicodeDecodeError):
        return "Not valid JSON: it is not UTF-8."
    return f"Not valid JSON: {error}."
