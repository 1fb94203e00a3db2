"""JSON that is not of the expected form, read field by field: the slow path of every language.

What makes no sense in a field counts as absent.
"""

from typing import Final

import msgspec
from msgspec import Raw

from parlance.core.errors import HostAnswerInvalid
from parlance.dialects.mend import mend_json

_NOTHING: Final = Raw(b"null")
_OBJECT: Final = msgspec.json.Decoder(dict[str, Raw])
_LIST: Final = msgspec.json.Decoder(list[Raw])
_STRING: Final = msgspec.json.Decoder(str)
_NUMBER: Final = msgspec.json.Decoder(float, strict=False)

Fields = dict[str, Raw]


def decode_fields(data: bytes, *, host: str) -> Fields:
    """The fields of a JSON object, each as its own text. `HostAnswerInvalid` for anything else."""
    try:
        return _OBJECT.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise no_json_object(host) from error


def no_json_object(host: str) -> HostAnswerInvalid:
    return HostAnswerInvalid(
        f"{host} sent something in its answer that is not a JSON object, so the rest of it can't be read. "
        f"Check that its base URL leads to the API of the provider's kind.",
        host=host,
    )


def read_fields(raw: Raw | None) -> Fields:
    """The fields of the object that a field holds; none where it holds something else."""
    try:
        return _OBJECT.decode(raw or _NOTHING)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}


def read_items(raw: Raw | None) -> list[Raw]:
    """The items of the list that a field holds, each as its own text."""
    try:
        return _LIST.decode(raw or _NOTHING)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return []


def read_text(raw: Raw | None) -> str | None:
    """The string that a field holds, if it holds one."""
    try:
        return _STRING.decode(raw or _NOTHING)
    except msgspec.ValidationError:
        return None
    except (msgspec.DecodeError, UnicodeDecodeError):
        # What a fast decode skipped was never looked at: it may be broken inside.
        return _read_broken_text(bytes(raw or b""))


def _read_broken_text(raw: bytes) -> str | None:
    try:
        return _STRING.decode(mend_json(raw))
    except msgspec.DecodeError:
        return None


def read_json(raw: Raw) -> Raw | None:
    """A value that a fast decode skipped, mended; None where it is no JSON at all."""
    mended = Raw(mend_json(bytes(raw)))
    try:
        msgspec.json.decode(mended)
    except (msgspec.DecodeError, RecursionError):
        return None
    return mended


def read_count(raw: Raw | None) -> int | None:
    """The whole number that a field holds, also as text or with a fraction."""
    try:
        return int(_NUMBER.decode(raw or _NOTHING))
    except (msgspec.DecodeError, ValueError, OverflowError):
        return None
