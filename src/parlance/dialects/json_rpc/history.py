"""A client's history into messages: OpenAI's form, and a flat one for tools."""

import base64
import binascii
from collections.abc import Sequence

from msgspec import Raw

from parlance.core.ids import CallId, new_call_id, new_message_id
from parlance.core.json import decode_json
from parlance.core.messages import Message, Role
from parlance.core.parts import Image, Inline, Part, Refusal, Text, ToolCall, ToolResult, Url
from parlance.dialects.chat_request import refused
from parlance.dialects.json_rpc.wire import GivenCall, GivenMessage, GivenPart, ImageAddress


def decode_history(given: Sequence[Raw], *, path: str) -> tuple[Message, ...]:
    """Raises `InvalidRequest` with the place. Messages that hold nothing are left out."""
    reading = _Reading()
    for number, message in enumerate(given):
        place = f"{path}[{number}]"
        reading.take(decode_json(message, GivenMessage, at=place), place)
    return tuple(reading.messages)


class _Reading:
    """The messages so far, and the calls among them that have no result yet."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self._open: dict[CallId, str] = {}

    def take(self, message: GivenMessage, path: str) -> None:
        match message.role:
            case "tool":
                self._take_result(message, path)
            case "developer":
                self._add("system", _content(message.content, f"{path}.content"))
            case "assistant":
                calls = [_call(call, f"{path}.tool_calls[{n}]") for n, call in enumerate(message.tool_calls or ())]
                self._add("assistant", [*_content(message.content, f"{path}.content"), *calls])
                self._open.update({call.id: call.name for call in calls})
            case role:
                self._add(role, _content(message.content, f"{path}.content"))

    def _take_result(self, message: GivenMessage, path: str) -> None:
        """A result whose call is not in the history gets one: no model takes a result without it."""
        name = message.tool_name or message.name
        id = CallId(message.tool_call_id) if message.tool_call_id else self._open_call(name)
        if id is None or id not in self._open:
            id = id or new_call_id()
            if name is None:
                raise refused(path, "No message before it makes this call. Give the tool's name, too.")
            self._add("assistant", [ToolCall(id, name, "{}")])
            self._open[id] = name
        output = _tell(message.tool_result) if _is_given(message.tool_result) else _tell(message.content, path)
        is_error = bool(message.is_error or message.isError)
        if is_error and message.error_message is not None:
            output = message.error_message
        self._add("tool", [ToolResult(id, self._open.pop(id), output, is_error=is_error)])

    def _open_call(self, name: str | None) -> CallId | None:
        return next((id for id, called in self._open.items() if name is None or called == name), None)

    def _add(self, role: Role, parts: Sequence[Part]) -> None:
        if parts:
            self.messages.append(Message(new_message_id(), role, tuple(parts)))


def decode_output(value: Raw) -> str:
    """Text is given to the model as it is, anything else as the JSON it came as."""
    return decode_json(value, str) if bytes(value).startswith(b'"') else bytes(value).decode()


def _tell(value: Raw, path: str | None = None) -> str:
    """A result; its content may come in pieces, as in OpenAI's form."""
    if path is None or not bytes(value).startswith(b"["):
        return decode_output(value) if path is None or _is_given(value) else ""
    return "".join(part.text for part in _content(value, f"{path}.content") if isinstance(part, Text))


def _is_given(value: Raw) -> bool:
    return bytes(value) != b"null"


def _content(content: Raw, path: str) -> list[Part]:
    text = bytes(content)
    if text == b"null":
        return []
    if text.startswith(b'"'):
        given = decode_json(content, str, at=path)
        return [Text(_clean(given, path))] if given else []
    if not text.startswith(b"["):
        raise refused(path, "The content is a text, or a list of pieces.")
    parts = decode_json(content, list[Raw], at=path)
    return [_part(decode_json(part, GivenPart, at=f"{path}[{n}]"), f"{path}[{n}]") for n, part in enumerate(parts)]


def _part(part: GivenPart, path: str) -> Part:
    match part.type:
        case "text":
            return Text(_clean(part.text or "", path))
        case "refusal":
            return Refusal(_clean(part.refusal or "", path))
        case "image_url":
            given = part.image_url
            image = ImageAddress(given) if isinstance(given, str) else given
            if image is None:
                raise refused(f"{path}.image_url", "The address is missing.")
            return _image(image, f"{path}.image_url")


def _image(image: ImageAddress, path: str) -> Image:
    if image.url.startswith(("https://", "http://")):
        return Image(Url(image.url), detail=image.detail)
    kind, mark, data = image.url.removeprefix("data:").partition(";base64,")
    if not image.url.startswith("data:") or not mark:
        raise refused(path, "The address begins with http:, https: or data:, the last with base64.")
    try:
        return Image(Inline(base64.b64decode(data, validate=True)), kind or None, detail=image.detail)
    except (binascii.Error, ValueError):
        raise refused(path, "The data is not valid base64.") from None


def _call(call: GivenCall, path: str) -> ToolCall:
    function = call.function
    name = (function.name if function else None) or call.name or call.tool_name
    if not name:
        raise refused(path, "A call has the name of its tool.")
    given = (
        function.arguments
        if function
        else next((value for value in (call.arguments, call.parameters, call.args) if _is_given(value)), Raw(b"{}"))
    )
    arguments = decode_output(given) if _is_given(given) else "{}"
    return ToolCall(CallId(call.id or call.tool_call_id or new_call_id()), name, arguments or "{}")


def _clean(text: str, path: str) -> str:
    if "\0" in text:
        raise refused(path, f"The text holds a NUL character at {text.index(chr(0))}. Send it without.")
    return text
