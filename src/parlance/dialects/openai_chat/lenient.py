"""The slow path: chunks that compatible hosts write otherwise than the language has it, read into the same types."""

from typing import Final

import msgspec
from msgspec import Raw

from parlance.core.errors import HostAnswerInvalid
from parlance.dialects.openai_chat.mend import mend_json
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

_NOTHING: Final = Raw(b"null")
_STRICT: Final = msgspec.json.Decoder(NamedChunk)
_OBJECT: Final = msgspec.json.Decoder(dict[str, Raw])
_LIST: Final = msgspec.json.Decoder(list[Raw])
_STRING: Final = msgspec.json.Decoder(str)
_NUMBER: Final = msgspec.json.Decoder(float, strict=False)

Fields = dict[str, Raw]


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
        raise _invalid(host) from error


def decode_fields(data: bytes, *, host: str) -> Fields:
    """The fields of a JSON object, each as its own text. `HostAnswerInvalid` for anything else."""
    try:
        return _OBJECT.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _invalid(host) from error


def _invalid(host: str) -> HostAnswerInvalid:
    return HostAnswerInvalid(
        f"{host} sent something in its answer that is not a JSON object, so the rest of it can't be read. "
        f"Check that its base URL leads to an OpenAI-compatible API.",
        host=host,
    )


def _chunk(fields: Fields) -> NamedChunk:
    return NamedChunk(
        choices=[_choice(read_fields(one)) for one in _items(fields.get("choices"))],
        usage=_usage(fields["usage"]) if read_fields(fields.get("usage")) else None,
        error=_error(fields.get("error")),
        id=read_text(fields.get("id")),
        model=read_text(fields.get("model")),
        object=read_text(fields.get("object")),
    )


def _choice(fields: Fields) -> Choice:
    return Choice(
        index=_count(fields.get("index")) or 0,
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
        tool_calls=[_call(read_fields(one)) for one in _items(fields.get("tool_calls"))],
        reasoning_content=read_text(fields.get("reasoning_content")) or thought,
        reasoning=read_text(fields.get("reasoning")),
        reasoning_details=_items(fields.get("reasoning_details")),
        annotations=_items(fields.get("annotations")),
        function_call=_function(fields.get("function_call")),
        extra_content=_extra_content(fields.get("extra_content")),
    )


def _content(raw: Raw | None) -> tuple[str | None, str | None]:
    """The text, and the thoughts that some hosts put between its parts."""
    if not _items(raw):
        return read_text(raw), None
    texts, thoughts = [], []
    for item in _items(raw):
        fields = read_fields(item)
        if "thinking" in fields:
            thoughts.append(_content(fields["thinking"])[0] or "")
        else:
            texts.append(read_text(fields.get("text")) or read_text(item) or "")
    return "".join(texts), "".join(thoughts)


def _call(fields: Fields) -> CallFragment:
    custom = read_fields(fields.get("custom"))
    return CallFragment(
        index=_count(fields.get("index")),
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
        prompt_tokens=_count(fields.get("prompt_tokens")),
        completion_tokens=_count(fields.get("completion_tokens")),
        total_tokens=_count(fields.get("total_tokens")),
        prompt_tokens_details=PromptDetails(
            _count(prompt.get("cached_tokens")), _count(prompt.get("cache_write_tokens"))
        ),
        completion_tokens_details=CompletionDetails(_count(completion.get("reasoning_tokens"))),
        prompt_cache_hit_tokens=_count(fields.get("prompt_cache_hit_tokens")),
    )


def _error(raw: Raw | None) -> WireError | None:
    """Truthy as official clients see it; a flag or a number becomes its text."""
    if raw is None or bytes(raw) in (b"null", b"false", b"0", b'""', b"{}", b"[]"):
        return None
    return read_fields(raw) or read_text(raw) or bytes(raw).decode()


def read_fields(raw: Raw | None) -> Fields:
    """The fields of the object that a field holds; none where it holds something else."""
    try:
        return _OBJECT.decode(raw or _NOTHING)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}


def _items(raw: Raw | None) -> list[Raw]:
    try:
        return _LIST.decode(raw or _NOTHING)
    except msgspec.DecodeError:
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


def _count(raw: Raw | None) -> int | None:
    try:
        return int(_NUMBER.decode(raw or _NOTHING))
    except (msgspec.DecodeError, ValueError, OverflowError):
        return None
