"""A client's messages read into ours."""

from collections.abc import Sequence

from parlance.core.ids import CallId, new_message_id
from parlance.core.messages import Message, Role
from parlance.core.parts import (
    CacheMark,
    File,
    Image,
    Inline,
    Part,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
    Uploaded,
)
from parlance.dialects.chat_request import refused
from parlance.dialects.data_uris import decode_base64, decode_source
from parlance.dialects.openai_chat.thoughts import FAMILY, decode_entries, decode_signature
from parlance.dialects.openai_chat.wire_requests import (
    AudioContent,
    CacheControl,
    Content,
    FileContentPart,
    GivenMessage,
    ImageContent,
    RefusalContent,
    TextContent,
    WireCall,
)


def decode_messages(given: Sequence[GivenMessage]) -> tuple[Message, ...]:
    """Raises `InvalidRequest`, also for a tool's result whose call no message before it makes."""
    if not given:
        raise refused("$.messages", "At least one message is needed.")
    messages = []
    calls: dict[str, str] = {}
    for number, message in enumerate(given):
        path = f"$.messages[{number}]"
        if message.function_call is not None:
            raise refused(f"{path}.function_call", "It is not offered any more: use `tool_calls`.")
        parts = _result(message, calls, path) if message.role == "tool" else _parts(message, path)
        calls.update({part.id: part.name for part in parts if isinstance(part, ToolCall)})
        role: Role = "system" if message.role == "developer" else message.role
        messages.append(Message(new_message_id(), role, parts))
    return tuple(messages)


def _parts(message: GivenMessage, path: str) -> tuple[Part, ...]:
    content = _content(message, path)
    if message.role != "assistant":
        if message.content is None:
            raise refused(f"{path}.content", "It is needed.")
        return tuple(content)
    if message.extra_content is not None and content and isinstance(content[-1], Text):
        content[-1] = Text(content[-1].text, signature=decode_signature(message.extra_content))
    refusal = [Refusal(message.refusal)] if message.refusal else []
    calls = [_call(call, f"{path}.tool_calls[{number}]") for number, call in enumerate(message.tool_calls or ())]
    return (*_thoughts(message), *content, *refusal, *calls)


def _thoughts(message: GivenMessage) -> list[Reasoning]:
    """The twins say the same as the details, which alone have the signatures."""
    if message.reasoning_details:
        return decode_entries(message.reasoning_details, beside=message.reasoning_content or message.reasoning or "")
    text = message.reasoning_content or message.reasoning
    return [Reasoning(text)] if text else []


def _content(message: GivenMessage, path: str) -> list[Part]:
    if isinstance(message.content, str):
        return [Text(message.content)] if message.content else []
    return [_part(one, f"{path}.content[{number}]") for number, one in enumerate(message.content or ())]


def _part(content: Content, path: str) -> Part:
    cache = _cache(content.cache_control)
    match content:
        case TextContent(text=text):
            return Text(text, cache=cache)
        case RefusalContent(refusal=refusal):
            return Refusal(refusal)
        case ImageContent(image_url=image):
            source, media_type = decode_source(image.url, f"{path}.image_url.url")
            return Image(source, media_type, detail=image.detail, cache=cache)
        case AudioContent(input_audio=audio):
            media_type = "audio/mpeg" if audio.format == "mp3" else f"audio/{audio.format}"
            return File(Inline(decode_base64(audio.data, f"{path}.input_audio.data")), media_type, cache=cache)
        case FileContentPart(file=file):
            if file.file_id is not None:
                return File(Uploaded(FAMILY, file.file_id), name=file.filename, cache=cache)
            source, media_type = decode_source(file.file_data or "", f"{path}.file.file_data")
            return File(source, media_type, name=file.filename, cache=cache)


def _cache(mark: CacheControl | None) -> CacheMark | None:
    return CacheMark(mark.ttl) if mark is not None else None


def _call(call: WireCall, path: str) -> ToolCall:
    signature = decode_signature(call.extra_content)
    if call.custom is not None and call.custom.name:
        return ToolCall(CallId(call.id), call.custom.name, call.custom.input or "", signature, freeform=True)
    if call.function is None or not call.function.name:
        raise refused(f"{path}.function", "A call needs a function with a name.")
    return ToolCall(CallId(call.id), call.function.name, call.function.arguments or "", signature)


def _result(message: GivenMessage, calls: dict[str, str], path: str) -> tuple[ToolResult]:
    call = message.tool_call_id
    if not call or call not in calls:
        raise refused(f"{path}.tool_call_id", "It must be the id of a call that a message before this one makes.")
    parts = [part for part in _content(message, path) if isinstance(part, Text)]
    return (ToolResult(CallId(call), calls[call], "\n".join(part.text for part in parts)),)
