"""The items of a client's input read into our messages."""

from collections.abc import Sequence

from msgspec import Raw, Struct

from parlance.core.errors import InvalidRequest
from parlance.core.ids import CallId, new_message_id
from parlance.core.json import decode_json
from parlance.core.messages import Message, Role
from parlance.core.parts import (
    File,
    Image,
    Inline,
    Kept,
    Part,
    Text,
    ToolCall,
    ToolResult,
    Uploaded,
    Url,
)
from parlance.dialects.chat_request import refused
from parlance.dialects.data_uris import decode_base64, decode_source
from parlance.dialects.openai_responses.items import parts_of_item
from parlance.dialects.openai_responses.wire import FAMILY
from parlance.dialects.openai_responses.wire_requests import (
    Content,
    GivenRole,
    InputAudio,
    InputFile,
    InputImage,
    InputText,
)
from parlance.dialects.raw_fields import read_items, read_json

_ASKED = frozenset({"mcp_approval_response", "item_reference", "compaction_trigger", "additional_tools"})
"""Types of items that a client adds by itself; what ends in `_output` is one of them, too."""


class _Named(Struct):
    type: str | None = None
    role: GivenRole | None = None


class _Said(Struct):
    content: str | list[Content]


class _Result(Struct):
    call_id: str
    output: str | list[Content]


def decode_input(given: str | list[Raw]) -> tuple[Message, ...]:
    """Raises `InvalidRequest`, also for a tool's result whose call no item before it makes."""
    if isinstance(given, str):
        return (Message(new_message_id(), "user", (Text(given),)),)
    messages: list[Message] = []
    calls: dict[str, str] = {}
    for number, raw in enumerate(given):
        path = f"$.input[{number}]"
        role, parts = _item(raw, calls, path)
        calls.update({part.id: part.name for part in parts if isinstance(part, ToolCall)})
        last = messages[-1] if messages else None
        if role == "assistant" and last is not None and last.role == role:
            messages[-1] = Message(last.id, role, last.parts + parts)
        elif parts:
            messages.append(Message(new_message_id(), role, parts))
    if not messages:
        raise refused("$.input", "At least one item is needed.")
    return tuple(messages)


def _item(raw: Raw, calls: dict[str, str], path: str) -> tuple[Role, tuple[Part, ...]]:
    named = decode_json(raw, _Named, at=path)
    kind = named.type or ("message" if named.role is not None else "item_reference")
    if kind == "message" and named.role is None:
        raise refused(f"{path}.role", "A message needs one.")
    if kind == "message" and named.role != "assistant":
        said = decode_json(raw, _Said, at=path)
        return "user" if named.role == "user" else "system", tuple(decode_content(said.content, f"{path}.content"))
    if kind in ("function_call_output", "custom_tool_call_output"):
        return "tool", (_result(raw, calls, path),)
    if kind in ("message", "reasoning", "function_call", "custom_tool_call"):
        return "assistant", _made(raw, kind, path)
    data = read_json(raw)
    if data is None:
        raise refused(path, "It can't be passed on: it is not valid JSON.")
    by_client = kind in _ASKED or kind.endswith("_output")
    return "user" if by_client else "assistant", (Kept(FAMILY, kind, data),)


def _made(raw: Raw, kind: str, path: str) -> tuple[Part, ...]:
    """What a model made before, and the client gives back."""
    fields = decode_json(raw, dict[str, Raw], at=path)
    fields.setdefault("type", Raw(b'"message"'))
    parts = tuple(place.part for place in parts_of_item(fields, raw=raw))
    if kind in ("function_call", "custom_tool_call"):
        if not parts:
            raise refused(f"{path}.name", "A call needs the name of its tool.")
        if "call_id" not in fields:
            raise refused(f"{path}.call_id", "A call needs its id, by which its result is known.")
    elif kind == "message" and len(parts) < len(read_items(fields.get("content"))):
        return tuple(_plain(raw, path))
    return parts


def _plain(raw: Raw, path: str) -> list[Part]:
    """An assistant's message in a client's words: some write their texts as input."""
    try:
        return decode_content(decode_json(raw, _Said, at=path).content, f"{path}.content")
    except InvalidRequest:
        raise refused(f"{path}.content", "It is no text of an assistant.") from None


def _result(raw: Raw, calls: dict[str, str], path: str) -> ToolResult:
    result = decode_json(raw, _Result, at=path)
    if result.call_id not in calls:
        raise refused(f"{path}.call_id", "It must be the id of a call that an item before this one makes.")
    output = result.output
    if isinstance(output, list):
        shown = decode_content(output, f"{path}.output")
        parts = tuple(part for part in shown if isinstance(part, Text | Image | File))
        return ToolResult(CallId(result.call_id), calls[result.call_id], parts)
    return ToolResult(CallId(result.call_id), calls[result.call_id], output)


def decode_content(content: str | Sequence[Content], path: str) -> list[Part]:
    if isinstance(content, str):
        return [Text(content)]
    return [_part(one, f"{path}[{number}]") for number, one in enumerate(content)]


def _part(content: Content, path: str) -> Part:
    match content:
        case InputText(text=text):
            return Text(text)
        case InputImage(image_url=str() as url, detail=detail):
            source, media_type = decode_source(url, f"{path}.image_url")
            return Image(source, media_type, detail=detail)
        case InputImage(file_id=str() as id, detail=detail):
            return Image(Uploaded(FAMILY, id), detail=detail)
        case InputFile(file_data=str() as data, filename=name):
            source, media_type = decode_source(data, f"{path}.file_data")
            return File(source, media_type, name=name)
        case InputFile(file_id=str() as id, filename=name):
            return File(Uploaded(FAMILY, id), name=name)
        case InputFile(file_url=str() as url, filename=name):
            return File(Url(url), name=name)
        case InputAudio(input_audio=audio):
            media_type = "audio/mpeg" if audio.format == "mp3" else f"audio/{audio.format}"
            return File(Inline(decode_base64(audio.data, f"{path}.input_audio.data")), media_type)
        case _:
            raise refused(path, "It says neither what it holds nor where that is.")
