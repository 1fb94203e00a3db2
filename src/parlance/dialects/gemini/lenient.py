"""The slow path: chunks that hosts write otherwise than the language has it, read into the same types."""

from typing import Final

import msgspec
from msgspec import Raw

from parlance.dialects.gemini.wire import (
    KEPT,
    NOTHING,
    Candidate,
    Content,
    FunctionCall,
    NamedChunk,
    Part,
    PromptFeedback,
    WireUsage,
)
from parlance.dialects.raw_fields import (
    Fields,
    decode_fields,
    no_json_object,
    read_count,
    read_fields,
    read_items,
    read_text,
)
from parlance.dialects.raw_fields import read_json as _checked

_STRICT: Final = msgspec.json.Decoder(NamedChunk)
_FLAGS: Final = frozenset({"thought", "thoughtSignature", "partMetadata", "text", "functionCall"})


def decode_leniently(data: bytes, *, host: str) -> list[tuple[bytes, NamedChunk]]:
    """The chunk in `data`, beside its JSON; several where it is a list of them.

    What makes no sense in a field counts as absent. `HostAnswerInvalid` for what is no JSON object at all.
    """
    if data.lstrip().startswith(b"["):
        listed = read_items(_checked(Raw(data)))
        if not listed:
            raise no_json_object(host)
        return [one for item in listed for one in _chunks(bytes(item), host)]
    return _chunks(data, host)


def _chunks(data: bytes, host: str) -> list[tuple[bytes, NamedChunk]]:
    try:
        return [(data, _STRICT.decode(data))]
    except msgspec.ValidationError:
        return [(data, _chunk(decode_fields(data, host=host)))]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise no_json_object(host) from error


def raw_parts(data: bytes) -> list[Raw]:
    """The parts of the first candidate of a chunk, each as its own text."""
    for candidate in read_items(read_fields(Raw(data)).get("candidates")):
        fields = read_fields(candidate)
        if not read_count(fields.get("index")):
            return read_items(read_fields(fields.get("content")).get("parts"))
    return []


def kind_of(part: Raw) -> str | None:
    """What a part of another kind is: the name of its content. None for one without any."""
    fields = read_fields(part)
    known = next((name for name in KEPT if name in fields), None)
    return known or next((name for name in fields if name not in _FLAGS), None)


def _chunk(fields: Fields) -> NamedChunk:
    feedback = read_fields(fields.get("promptFeedback"))
    return NamedChunk(
        candidates=[_candidate(read_fields(one)) for one in read_items(fields.get("candidates"))],
        usage_metadata=_usage(fields["usageMetadata"]) if read_fields(fields.get("usageMetadata")) else None,
        prompt_feedback=PromptFeedback(
            read_text(feedback.get("blockReason")), read_text(feedback.get("blockReasonMessage"))
        )
        if feedback
        else None,
        error=_error(fields.get("error")),
        model_version=read_text(fields.get("modelVersion")),
        response_id=read_text(fields.get("responseId")),
    )


def _error(raw: Raw | None) -> Raw:
    return NOTHING if raw is None or bytes(raw) in (b"null", b"false", b'""', b"{}", b"[]") else raw


def _candidate(fields: Fields) -> Candidate:
    content = read_fields(fields.get("content"))
    return Candidate(
        content=Content([_part(read_fields(one)) for one in read_items(content.get("parts"))]) if content else None,
        finish_reason=read_text(fields.get("finishReason")),
        index=read_count(fields.get("index")) or 0,
        finish_message=read_text(fields.get("finishMessage")),
        citation_metadata=fields.get("citationMetadata", NOTHING),
        grounding_metadata=fields.get("groundingMetadata", NOTHING),
        url_context_metadata=fields.get("urlContextMetadata", NOTHING),
    )


def _part(fields: Fields) -> Part:
    call = read_fields(fields.get("functionCall"))
    return Part(
        text=read_text(fields.get("text")),
        function_call=_call(call) if call else None,
        thought=bytes(fields.get("thought", NOTHING)) == b"true",
        thought_signature=read_text(fields.get("thoughtSignature")),
    )


def _call(fields: Fields) -> FunctionCall:
    args = fields.get("args", NOTHING)
    text = read_text(args)
    return FunctionCall(
        name=read_text(fields.get("name")),
        id=read_text(fields.get("id")),
        args=args if text is None else Raw(text.encode("utf-8", "replace")),
        partial_args=fields.get("partialArgs", NOTHING),
        will_continue=bytes(fields.get("willContinue", NOTHING)) == b"true",
    )


def _usage(raw: Raw) -> WireUsage:
    fields = read_fields(raw)
    return WireUsage(
        prompt_token_count=read_count(fields.get("promptTokenCount")),
        candidates_token_count=read_count(fields.get("candidatesTokenCount")),
        thoughts_token_count=read_count(fields.get("thoughtsTokenCount")),
        total_token_count=read_count(fields.get("totalTokenCount")),
        cached_content_token_count=read_count(fields.get("cachedContentTokenCount")),
        tool_use_prompt_token_count=read_count(fields.get("toolUsePromptTokenCount")),
        cache_written_token_count=read_count(fields.get("cacheWrittenTokenCount")),
    )
