"""A client's contents read into ours: what was said, called and returned."""

from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Raw, Struct

from parlance.core.errors import Field, InvalidRequest
from parlance.core.ids import CallId, new_call_id, new_message_id
from parlance.core.json import decode_json
from parlance.core.messages import Message
from parlance.core.parts import (
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
from parlance.dialects.gemini.lenient import kind_of
from parlance.dialects.gemini.proofs import FAMILY, UNCHECKED, decode_signature
from parlance.dialects.gemini.wire_requests import Blob, FileUri, SaidPart, SaidResult
from parlance.dialects.raw_fields import read_fields, read_text

UPLOADS: Final = "https://generativelanguage.googleapis.com/"
"""Where the addresses of files begin that were left with this family's host."""


class GivenContent(Struct):
    parts: list[Raw] = []
    role: str | None = None


def decode_contents(contents: Sequence[GivenContent]) -> list[Message]:
    messages: list[Message] = []
    calls: list[ToolCall] = []
    for number, content in enumerate(contents):
        path = f"$.contents[{number}].parts"
        said = [(raw, decode_json(raw, SaidPart, at=f"{path}[{at}]")) for at, raw in enumerate(content.parts)]
        if content.role == "model":
            parts = tuple(_model_part(raw, part, path) for raw, part in said)
            calls = [part for part in parts if isinstance(part, ToolCall)]
            messages.append(Message(new_message_id(), "assistant", parts))
            continue
        results = [_result(part.function_response, calls, path) for _, part in said if part.function_response]
        messages += [Message(new_message_id(), "tool", (result,)) for result in results]
        given = tuple(_user_part(raw, part, path) for raw, part in said if not part.function_response)
        if given:
            messages.append(Message(new_message_id(), "user", given))
    return messages


def _model_part(raw: Raw, part: SaidPart, path: str) -> Part:
    signature = _signature(part.thought_signature)
    call = part.function_call
    if call is not None:
        args = bytes(checked(call.args, f"{path}.functionCall.args")).decode()
        return ToolCall(CallId(call.id or new_call_id()), call.name, args, signature, upstream_id=call.id)
    if part.text is None:
        return _kept(raw, path)
    return Reasoning(part.text, signature, redacted=not part.text) if part.thought else Text(part.text, (), signature)


def _signature(value: str | None) -> Signature | None:
    return decode_signature(value) if value and value != UNCHECKED else None


def _user_part(raw: Raw, part: SaidPart, path: str) -> Part:
    if part.inline_data is not None:
        return _media(part.inline_data, Inline(_bytes(part.inline_data.data, f"{path}.inlineData.data")))
    if part.file_data is not None:
        uri = part.file_data.file_uri
        return _media(part.file_data, Uploaded(FAMILY, uri) if uri.startswith(UPLOADS) else Url(uri))
    return Text(part.text, (), _signature(part.thought_signature)) if part.text is not None else _kept(raw, path)


def _media(given: Blob | FileUri, source: Source) -> Image | File:
    kind = given.mime_type
    return Image(source, kind) if (kind or "").startswith("image/") else File(source, kind)


def _kept(raw: Raw, path: str) -> Kept:
    kind = kind_of(raw)
    if kind is None:
        raise refuse(path, "A part must hold something.")
    return Kept(FAMILY, kind, checked(raw, path))


def _result(given: SaidResult, calls: list[ToolCall], path: str) -> ToolResult:
    """Answers the call of its id, else the first open one of its name."""
    call = next((one for one in calls if given.id and one.upstream_id == given.id), None)
    call = call or next((one for one in calls if one.name == given.name), None)
    if call is None:
        raise refuse(f"{path}.functionResponse", "It must answer a call that the model's content before it makes.")
    calls.remove(call)
    response = checked(given.response, f"{path}.functionResponse.response")
    fields = read_fields(response)
    error, output = read_text(fields.get("error")), read_text(fields.get("output"))
    if len(fields) == 1 and error is not None:
        return ToolResult(call.id, call.name, error, is_error=True)
    text = output if len(fields) == 1 and output is not None else bytes(response).decode()
    return ToolResult(call.id, call.name, text)


def refuse(path: str, message: str) -> InvalidRequest:
    """The error for one place in the request."""
    return InvalidRequest(f"{path}: {message}", fields=(Field(path, message),))


def checked(raw: Raw, path: str) -> Raw:
    """What is passed on as it came, looked at once: a host must get JSON, and text that is Unicode."""
    try:
        if raw:
            msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise refuse(path, f"It can't be passed on: {error}.") from None
    return raw


def _bytes(data: str, path: str) -> bytes:
    try:
        return b64decode(data, validate=True)
    except (Base64Error, ValueError) as error:
        raise refuse(path, "It is not valid base64.") from error
