"""A client's messages read into ours."""

from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from parlance.core.errors import Field, InvalidRequest
from parlance.core.ids import CallId, new_message_id
from parlance.core.json import decode_json
from parlance.core.messages import Message
from parlance.core.parts import (
    Annotation,
    CacheMark,
    File,
    Image,
    Inline,
    Kept,
    Part,
    Reasoning,
    Signature,
    Source,
    Text,
    ToolCall,
    ToolResult,
    Uploaded,
    Url,
)
from parlance.dialects.anthropic_messages.names import decode_name
from parlance.dialects.anthropic_messages.proofs import decode_rider, keep_additions
from parlance.dialects.anthropic_messages.wire import FAMILY, NOTHING
from parlance.dialects.anthropic_messages.wire_requests import (
    CacheControl,
    DocumentBlock,
    ImageBlock,
    RedactedBlock,
    TextBlock,
    ThinkingBlock,
    WireRole,
)
from parlance.dialects.anthropic_messages.wire_requests import Source as WireSource
from parlance.dialects.foreign import unwrap_signature
from parlance.dialects.raw_fields import read_fields, read_text

_PLAIN_DOCUMENT: Final = frozenset({"type", "source", "title", "cache_control"})
"""What a document says that we have words for; one with more goes on as it came."""


class GivenMessage(Struct):
    role: WireRole
    content: Raw


class _GivenCall(Struct, tag_field="type", tag="tool_use"):
    id: str
    name: str
    input: Raw = Raw(b"{}")
    caller: Raw = NOTHING
    toolset_name: str | None = None


class _GivenResult(Struct, tag_field="type", tag="tool_result"):
    tool_use_id: str
    content: Raw = NOTHING
    is_error: bool = False
    cache_control: CacheControl | None = None


_FORMS: Final[dict[str, type[Struct]]] = {
    "text": TextBlock,
    "image": ImageBlock,
    "document": DocumentBlock,
    "thinking": ThinkingBlock,
    "redacted_thinking": RedactedBlock,
    "tool_use": _GivenCall,
    "tool_result": _GivenResult,
}


def refuse(path: str, message: str) -> InvalidRequest:
    """The error for one place in the request."""
    return InvalidRequest(f"{path}: {message}", fields=(Field(path, message),))


def check(raw: Raw, path: str) -> Raw:
    """What is passed on as it came, looked at once: a host must get JSON, and text that is Unicode."""
    try:
        msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise refuse(path, f"It can't be passed on: {error}.") from None
    return Raw(bytes(raw))


def decode_system(raw: Raw) -> tuple[Message, ...]:
    """The system prompt: a text, or a list of them."""
    if bytes(raw) in (b"", b"null"):
        return ()
    parts = _parts(raw, "$.system")
    return (Message(new_message_id(), "system", tuple(parts)),) if parts else ()


def decode_messages(given: Sequence[GivenMessage]) -> tuple[Message, ...]:
    """Raises `InvalidRequest`, also for a result whose call no message before it makes.

    The results in a user's message become messages of their own.
    """
    if not given:
        raise refuse("$.messages", "At least one message is needed.")
    messages: list[Message] = []
    calls: dict[str, str] = {}
    for number, message in enumerate(given):
        path = f"$.messages[{number}].content"
        parts = _signed_calls(_parts(message.content, path, calls))
        results = [part for part in parts if isinstance(part, ToolResult)]
        if results:
            messages.append(Message(new_message_id(), "tool", tuple(results)))
            parts = [part for part in parts if not isinstance(part, ToolResult)]
        if parts or not results:
            messages.append(Message(new_message_id(), message.role, tuple(parts)))
        calls |= {part.id: part.name for part in parts if isinstance(part, ToolCall)}
    return tuple(messages)


def _parts(content: Raw, path: str, calls: dict[str, str] | None = None) -> list[Part]:
    if bytes(content).startswith(b'"'):
        text = decode_json(content, str, at=path)
        return [Text(text)] if text else []
    blocks = decode_json(content, list[Raw], at=path)
    return [_part(raw, f"{path}[{number}]", calls or {}) for number, raw in enumerate(blocks)]


def _part(raw: Raw, path: str, calls: dict[str, str]) -> Part:
    fields = read_fields(raw)
    type = read_text(fields.get("type"))
    if not type:
        raise refuse(path, "It must be a block with a `type`.")
    form = _FORMS.get(type)
    if form is None or (type == "document" and fields.keys() - _PLAIN_DOCUMENT):
        return Kept(FAMILY, type, check(raw, path))
    match decode_json(raw, form, at=path):
        case TextBlock(text=text, citations=citations, cache_control=cache):
            return Text(text, tuple(_citation(one, path) for one in citations or ()), cache=_mark(cache))
        case ThinkingBlock(thinking=text, signature=signature):
            return Reasoning(text, unwrap_signature(signature, family=FAMILY) if signature else None)
        case RedactedBlock(data=data):
            return Reasoning("", unwrap_signature(data, family=FAMILY), redacted=True)
        case _GivenCall() as call:
            return _call(call, path)
        case _GivenResult(tool_use_id=id) as result:
            if id not in calls:
                raise refuse(f"{path}.tool_use_id", "It must be the id of a call that a message before this one makes.")
            return _result(result, calls[id], path)
        case ImageBlock() | DocumentBlock() as shown:
            return _shown(shown, raw, path)
        case other:
            raise TypeError(other)


def _citation(raw: Raw, path: str) -> Annotation:
    type = read_text(read_fields(raw).get("type")) or "citation"
    return Annotation(FAMILY, type, check(raw, f"{path}.citations"))


def _mark(mark: CacheControl | None) -> CacheMark | None:
    return CacheMark(mark.ttl) if mark is not None else None


def _call(call: _GivenCall, path: str) -> ToolCall:
    if not call.name or not call.id:
        raise refuse(path, "A call needs an `id` and a `name`.")
    arguments = bytes(check(call.input, f"{path}.input")).decode()
    return ToolCall(CallId(call.id), decode_name(call.name), arguments, keep_additions(call.caller, call.toolset_name))


def _result(result: _GivenResult, name: str, path: str) -> ToolResult:
    empty = bytes(result.content) in (b"", b"null")
    parts = [] if empty else _parts(result.content, f"{path}.content")
    shown = tuple(part for part in parts if isinstance(part, Text | Image | File))
    if len(shown) < len(parts):
        raise refuse(f"{path}.content", "A result holds text, images and documents.")
    plain = empty or bytes(result.content).startswith(b'"')
    output = "".join(part.text for part in shown if isinstance(part, Text)) if plain else shown
    return ToolResult(CallId(result.tool_use_id), name, output, result.is_error, cache=_mark(result.cache_control))


def _shown(block: ImageBlock | DocumentBlock, raw: Raw, path: str) -> Part:
    source = _source(block.source, f"{path}.source")
    mark = _mark(block.cache_control)
    if source is None:
        return Kept(FAMILY, "image" if isinstance(block, ImageBlock) else "document", check(raw, path))
    if isinstance(block, ImageBlock):
        return Image(source, block.source.media_type, cache=mark)
    return File(source, block.source.media_type, block.title, cache=mark)


def _source(given: WireSource, path: str) -> Source | None:
    """None for a kind of source that we have no word for."""
    match given:
        case WireSource(type="base64", data=str(data)):
            try:
                return Inline(b64decode(data, validate=True))
            except (Base64Error, ValueError) as error:
                raise refuse(f"{path}.data", "It is not valid base64.") from error
        case WireSource(type="text", data=str(data)):
            return Inline(data.encode("utf-8", "replace"))
        case WireSource(type="url", url=str(url)):
            if not url.startswith(("https://", "http://")):
                raise refuse(f"{path}.url", "It must be an http(s) address.")
            return Url(url)
        case WireSource(type="file", file_id=str(id)):
            return Uploaded(FAMILY, id)
        case _:
            return None


def _signed_calls(parts: list[Part]) -> list[Part]:
    """Foreign signatures of calls, which came in blocks of their own, put back on their calls."""
    riders: dict[str, Signature] = {}
    rest: list[Part] = []
    for part in parts:
        sealed = part.signature if isinstance(part, Reasoning) and part.redacted else None
        rider = decode_rider(sealed.value) if sealed is not None and sealed.family == FAMILY else None
        if rider is None:
            rest.append(part)
        else:
            riders[rider[0]] = rider[1]
    return [
        replace(part, signature=riders[part.id]) if isinstance(part, ToolCall) and part.id in riders else part
        for part in rest
    ]
