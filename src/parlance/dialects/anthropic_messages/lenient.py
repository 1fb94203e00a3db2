"""The slow path: events and answers that compatible hosts write otherwise, read into the same types."""

from typing import Final

import msgspec
from msgspec import Raw

from parlance.dialects.anthropic_messages.wire import (
    NOTHING,
    Block,
    OutputDetails,
    StreamEvent,
    WireDelta,
    WireMessage,
    WireUsage,
)
from parlance.dialects.mend import mend_json
from parlance.dialects.raw_fields import decode_fields, no_json_object, read_count, read_fields, read_items, read_text

_EVENT: Final = msgspec.json.Decoder(StreamEvent)
_MESSAGE: Final = msgspec.json.Decoder(WireMessage)
_BLOCK: Final = msgspec.json.Decoder(Block)
_FAILURES: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def decode_leniently(data: bytes, *, host: str) -> StreamEvent:
    """An event of a stream. `HostAnswerInvalid` for what is no JSON object at all."""
    mended = mend_json(data)
    try:
        return _EVENT.decode(mended)
    except msgspec.ValidationError:
        fields = decode_fields(mended, host=host)
    except (msgspec.DecodeError, RecursionError) as error:
        raise no_json_object(host) from error
    return StreamEvent(
        type=read_text(fields.get("type")),
        index=read_count(fields.get("index")) or 0,
        delta=_delta(fields.get("delta")),
        content_block=fields.get("content_block", NOTHING),
        message=fields.get("message", NOTHING),
        usage=_usage(fields.get("usage")),
        error=fields.get("error", NOTHING),
    )


def decode_message(raw: bytes) -> WireMessage:
    """A whole answer, or the beginning of one; an empty one for what is none."""
    try:
        return _MESSAGE.decode(raw)
    except _FAILURES:
        fields = read_fields(Raw(mend_json(raw)))
    return WireMessage(
        type=read_text(fields.get("type")),
        id=read_text(fields.get("id")),
        model=read_text(fields.get("model")),
        content=read_items(fields.get("content")) if "content" in fields else None,
        stop_reason=read_text(fields.get("stop_reason")),
        usage=_usage(fields.get("usage")),
        error=fields.get("error", NOTHING),
    )


def decode_block(raw: Raw) -> Block:
    """A block of an answer; one without a type for what is none."""
    try:
        return _BLOCK.decode(raw)
    except _FAILURES:
        fields = read_fields(Raw(mend_json(bytes(raw))))
    return Block(
        type=read_text(fields.get("type")),
        text=read_text(fields.get("text")),
        citations=read_items(fields.get("citations")),
        thinking=read_text(fields.get("thinking")),
        signature=read_text(fields.get("signature")),
        data=read_text(fields.get("data")),
        id=read_text(fields.get("id")),
        name=read_text(fields.get("name")),
        input=fields.get("input", NOTHING),
        caller=fields.get("caller", NOTHING),
        toolset_name=read_text(fields.get("toolset_name")),
    )


def _delta(raw: Raw | None) -> WireDelta | None:
    fields = read_fields(raw)
    if not fields:
        return None
    return WireDelta(
        type=read_text(fields.get("type")),
        text=read_text(fields.get("text")),
        partial_json=read_text(fields.get("partial_json")),
        thinking=read_text(fields.get("thinking")),
        signature=read_text(fields.get("signature")),
        citation=fields.get("citation", NOTHING),
        stop_reason=read_text(fields.get("stop_reason")),
    )


def _usage(raw: Raw | None) -> WireUsage | None:
    fields = read_fields(raw)
    if not fields:
        return None
    details = read_fields(fields.get("output_tokens_details"))
    return WireUsage(
        input_tokens=read_count(fields.get("input_tokens")),
        cache_creation_input_tokens=read_count(fields.get("cache_creation_input_tokens")),
        cache_read_input_tokens=read_count(fields.get("cache_read_input_tokens")),
        output_tokens=read_count(fields.get("output_tokens")),
        output_tokens_details=OutputDetails(read_count(details.get("thinking_tokens"))) if details else None,
    )
