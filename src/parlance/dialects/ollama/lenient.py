"""The slow path: lines that other servers write otherwise than Ollama does, read into the same types."""

from typing import Final

import msgspec
from msgspec import Raw

from parlance.dialects.mend import mend_json
from parlance.dialects.ollama.wire import NamedLine, Said, WireCall, WireFunction
from parlance.dialects.raw_fields import (
    Fields,
    decode_fields,
    no_json_object,
    read_count,
    read_fields,
    read_items,
    read_json,
    read_text,
)

_STRICT: Final = msgspec.json.Decoder(NamedLine)
_NOTHING: Final = (b"", b"null", b"false", b"0", b'""', b"{}", b"[]")


def decode_leniently(data: bytes, *, host: str) -> NamedLine:
    """A line or a whole answer. What makes no sense in a field counts as absent.

    `HostAnswerInvalid` for what is no JSON object at all.
    """
    mended = mend_json(data)
    try:
        return _STRICT.decode(mended)
    except msgspec.ValidationError:
        return _line(decode_fields(mended, host=host))
    except (msgspec.DecodeError, RecursionError) as error:
        raise no_json_object(host) from error


def says(error: Raw) -> bool:
    """Whether an `error` is one, as official clients see it: null, false and empty ones are none."""
    return bytes(error) not in _NOTHING


def arguments_text(raw: Raw) -> str:
    """The text of an object as it came, for decoding would change numbers and order; some send its text instead."""
    whole = read_json(raw)
    if whole is None or bytes(whole) == b"null":
        return "{}"
    text = read_text(whole)
    return (text.strip() or "{}") if text is not None else bytes(whole).decode()


def _line(fields: Fields) -> NamedLine:
    return NamedLine(
        message=_said(fields["message"]) if "message" in fields else None,
        done=bytes(fields.get("done") or b"") in (b"true", b'"true"', b"1"),
        error=fields.get("error") or Raw(b""),
        done_reason=read_text(fields.get("done_reason")),
        prompt_eval_count=read_count(fields.get("prompt_eval_count")),
        eval_count=read_count(fields.get("eval_count")),
        model=read_text(fields.get("model")),
    )


def _said(raw: Raw) -> Said:
    fields = read_fields(raw)
    calls = [_call(read_fields(one)) for one in read_items(fields.get("tool_calls"))]
    return Said(read_text(fields.get("content")), read_text(fields.get("thinking")), calls or None)


def _call(fields: Fields) -> WireCall:
    function = read_fields(fields.get("function"))
    name, arguments = read_text(function.get("name")) or "", function.get("arguments")
    return WireCall(WireFunction(name, Raw(b"null") if arguments is None else arguments), read_text(fields.get("id")))
