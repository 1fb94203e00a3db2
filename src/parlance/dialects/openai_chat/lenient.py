"""The slow path: chunks that compatible hosts write otherwise than the language has it, read into the same types."""

from typing import Final

import msgspec
from msgspec import Raw

from parlance.dialects.mend import mend_json
from parlance.dialects.openai_chat.wire import (
    CallFragment,
    Choice,
    CompletionDetails,
    Custom,
    ExtraContent,
    Function,
    Google,
    NamedChunk,
    PromptDetails,
    Prose,
    WireError,
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

_STRICT: Final = msgspec.json.Decoder(NamedChunk)


def decode_leniently(data: bytes, *, host: str) -> NamedChunk:
    """A chunk or a whole answer. What makes no sense in a field counts as absent.

    `HostAnswerInvalid` for what is no JSON object at all.
    """
    mended = mend_json(data)
    try:
        return _STRICT.decode(mended)
    except msgspec.ValidationError:
        return _chunk(decode_fields(mended, host=host))
    except (msgspec.DecodeError, RecursionError) as error:
        raise no_json_object(host) from error


def _chunk(fields: Fields) -> NamedChunk:
    return NamedChunk(
        choices=[_choice(read_fields(one)) for one in read_items(fields.get("choices"))],
        usage=_usage(fields["usage"]) if read_fields(fields.get("usage")) else None,
        error=_error(fields.get("error")),
        id=read_text(fields.get("id")),
        model=read_text(fields.get("model")),
        object=read_text(fields.get("object")),
    )


def _choice(fields: Fields) -> Choice:
    return Choice(
        index=read_count(fields.get("index")) or 0,
        delta=_prose(fields.get("delta")),
        finish_reason=read_text(fields.get("finish_reason")),
        message=_prose(fields.get("message")),
    )


def _prose(raw: Raw | None) -> Prose | None:
    fields = read_fields(raw)
    if not fields:
        return None
    content, thought = _content(fields.get("content"))
    return Prose(
        content=content,
        refusal=read_text(fields.get("refusal")),
        tool_calls=[_call(read_fields(one)) for one in read_items(fields.get("tool_calls"))],
        reasoning_content=read_text(fields.get("reasoning_content")) or thought,
        reasoning=read_text(fields.get("reasoning")),
        reasoning_details=read_items(fields.get("reasoning_details")),
        annotations=read_items(fields.get("annotations")),
        function_call=_function(fields.get("function_call")),
        extra_content=_extra_content(fields.get("extra_content")),
    )


def _content(raw: Raw | None) -> tuple[str | None, str | None]:
    """The text, and the thoughts that some hosts put between its parts."""
    if not read_items(raw):
        return read_text(raw), None
    texts, thoughts = [], []
    for item in read_items(raw):
        fields = read_fields(item)
        if "thinking" in fields:
            thoughts.append(_content(fields["thinking"])[0] or "")
        else:
            texts.append(read_text(fields.get("text")) or read_text(item) or "")
    return "".join(texts), "".join(thoughts)


def _call(fields: Fields) -> CallFragment:
    custom = read_fields(fields.get("custom"))
    return CallFragment(
        index=read_count(fields.get("index")),
        id=read_text(fields.get("id")),
        type=read_text(fields.get("type")),
        function=_function(fields.get("function")),
        custom=Custom(read_text(custom.get("name")), read_text(custom.get("input"))) if custom else None,
        extra_content=_extra_content(fields.get("extra_content")),
    )


def _function(raw: Raw | None) -> Function | None:
    fields = read_fields(raw)
    return Function(read_text(fields.get("name")), _arguments(fields.get("arguments"))) if fields else None


def _arguments(raw: Raw | None) -> str | None:
    """Some hosts send an object instead of its text; its own text then, for decoding would change numbers and order."""
    if raw is None or bytes(raw) == b"null":
        return None
    text = read_text(raw)
    return bytes(raw).decode() if text is None else text


def _extra_content(raw: Raw | None) -> ExtraContent | None:
    signature = read_text(read_fields(read_fields(raw).get("google")).get("thought_signature"))
    return ExtraContent(Google(signature)) if signature else None


def _usage(raw: Raw) -> WireUsage:
    fields = read_fields(raw)
    prompt = read_fields(fields.get("prompt_tokens_details"))
    completion = read_fields(fields.get("completion_tokens_details"))
    return WireUsage(
        prompt_tokens=read_count(fields.get("prompt_tokens")),
        completion_tokens=read_count(fields.get("completion_tokens")),
        total_tokens=read_count(fields.get("total_tokens")),
        prompt_tokens_details=PromptDetails(
            read_count(prompt.get("cached_tokens")), read_count(prompt.get("cache_write_tokens"))
        ),
        completion_tokens_details=CompletionDetails(read_count(completion.get("reasoning_tokens"))),
        prompt_cache_hit_tokens=read_count(fields.get("prompt_cache_hit_tokens")),
    )


def _error(raw: Raw | None) -> WireError | None:
    """Truthy as official clients see it; a flag or a number becomes its text."""
    if raw is None or bytes(raw) in (b"null", b"false", b"0", b'""', b"{}", b"[]"):
        return None
    return read_fields(raw) or read_text(raw) or bytes(raw).decode()
