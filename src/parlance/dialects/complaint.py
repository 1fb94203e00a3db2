"""What a host says is wrong, read from whatever it sends, and made fit to be told on."""

import re
from typing import Final

import msgspec
from msgspec import Raw, Struct

from parlance.dialects.mend import mend_json
from parlance.dialects.raw_fields import Fields, read_text

_LONGEST: Final = 500
_OBJECT: Final = msgspec.json.Decoder(dict[str, Raw])
_LIST: Final = msgspec.json.Decoder(list[Raw])
_MARKUP: Final = re.compile(rb"\s*<(!doctype|html|head|body|\?xml)", re.IGNORECASE)
_KEY: Final = re.compile(
    r"\bBearer\s+\S+"
    r"|\b(?:sk|pk|rk|gsk|xai|hf|r8|nvapi|tgp|fw|pplx|csk|sess|proj|org|key|api[-_]?key)[-_][\w*.-]{5,}"
    r"|\bAIza[\w-]{10,}"
    r"|[\w-]{40,}",
    re.IGNORECASE,
)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]+")


class Complaint(Struct, frozen=True):
    """`type` and `code` in lower case; empty where the host did not say."""

    message: str = ""
    type: str = ""
    code: str = ""


def decode_complaint(body: bytes) -> Complaint:
    """An error's body: OpenAI's object, a bare string, FastAPI's `detail`, a list of one, plain text, HTML, nothing."""
    if _MARKUP.match(body):
        return Complaint("a page of HTML, not an answer of its API")
    fields = _object(mend_json(body))
    if not fields:
        return Complaint(body[: 4 * _LONGEST].decode("utf-8", "replace").strip())
    if "error" in fields:
        return read_complaint(fields["error"], beside=fields)
    if "detail" in fields:
        return Complaint(_detail(fields["detail"]), code=_word(fields.get("code")))
    return _from_fields(fields)


def read_complaint(error: Raw | Fields | str, *, beside: Fields | None = None) -> Complaint:
    """The value of `error`: an object or a string, with what stands `beside` it."""
    if isinstance(error, str):
        return Complaint(error)
    fields = error if isinstance(error, dict) else _object(bytes(error))
    if fields:
        return _from_fields(fields)
    text = read_text(error) if isinstance(error, Raw) else ""
    beside = beside or {}
    return Complaint(
        text or read_text(beside.get("message")) or "", _word(beside.get("type")), _word(beside.get("code"))
    )


def tell(text: str) -> str:
    """One line of at most 500 characters in which everything that looks like a key is masked."""
    line = _KEY.sub("***", _CONTROL.sub(" ", text)).strip()
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1].rstrip() + "…"


def _from_fields(fields: Fields) -> Complaint:
    message = read_text(fields.get("message")) or read_text(fields.get("msg")) or ""
    return Complaint(message, _word(fields.get("type")), _word(fields.get("code")))


def _object(text: bytes) -> Fields:
    try:
        return _OBJECT.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        listed = _LIST.decode(text)
        return _OBJECT.decode(listed[0]) if listed else {}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}


def _detail(raw: Raw) -> str:
    """A string, or the list of places at fault that FastAPI makes."""
    text = read_text(raw)
    if text is not None:
        return text
    told = _object(bytes(raw))
    return read_text(told.get("msg")) or read_text(told.get("message")) or bytes(raw).decode("utf-8", "replace")


def _word(raw: Raw | None) -> str:
    """A code may be a string or a number."""
    if raw is None or bytes(raw) == b"null":
        return ""
    text = read_text(raw)
    return (bytes(raw).decode("utf-8", "replace") if text is None else text).strip().lower()[:80]
