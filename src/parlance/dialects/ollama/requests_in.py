"""A client's request read into ours."""

from base64 import b64decode
from binascii import Error as Base64Error
from typing import Final

import msgspec
from msgspec import Raw, Struct

from parlance.core.errors import Field, InvalidRequest
from parlance.core.ids import CallId, new_call_id, new_message_id
from parlance.core.json import decode_json
from parlance.core.messages import Message
from parlance.core.parts import Image, Inline, Part, Reasoning, Text, ToolCall, ToolResult
from parlance.core.requests import Effort, OutputFormat, ReasoningAsk, Request, Sampling, ToolSpec
from parlance.dialects.ollama.wire import FAMILY, Options, WireRole, WireTool
from parlance.dialects.raw_fields import Fields, read_text


class OllamaAsk(Struct, frozen=True):
    """A request, and whether its answer shall be streamed."""

    request: Request
    stream: bool


class GivenFunction(Struct):
    name: str
    arguments: Raw = Raw(b"{}")


class GivenCall(Struct):
    function: GivenFunction
    id: str | None = None


class GivenMessage(Struct):
    """A message as a client sends it."""

    role: WireRole
    content: str | None = None
    thinking: str | None = None
    images: list[str] | None = None
    tool_calls: list[GivenCall] | None = None
    tool_name: str | None = None
    tool_call_id: str | None = None


class GivenRequest(Struct):
    """The fields that we have words for. `format` and `think` have several forms."""

    model: str
    messages: list[GivenMessage]
    stream: bool | None = None
    format: Raw = Raw(b"null")
    tools: list[WireTool] | None = None
    options: Options | None = None
    think: bool | str | None = None


_KNOWN: Final = frozenset(GivenRequest.__struct_fields__)
_OPTIONS: Final = frozenset(Options.__struct_fields__) - {"num_ctx"}
_EFFORTS: Final[dict[str, Effort]] = {"low": "low", "medium": "medium", "high": "high", "max": "max"}


def decode_request(payload: bytes) -> OllamaAsk:
    """Raises `InvalidJson`, or `InvalidRequest` whose `fields` say where.

    Fields and options we have no word for are kept for hosts of this language; so is the size of the window.
    """
    given = decode_json(payload, GivenRequest)
    if not given.model:
        raise _refuse("$.model", "model is required")
    fields = decode_json(payload, Fields)
    rest = {name: _checked(raw, f"$.{name}") for name, raw in fields.items() if name not in _KNOWN}
    if given.think is True:
        rest["think"] = Raw(b"true")  # at the model's own level, for which we have no word
    options = decode_json(bytes(fields["options"]), Fields) if given.options is not None else {}
    if kept := {name: raw for name, raw in options.items() if name not in _OPTIONS}:
        rest["options"] = Raw(msgspec.json.encode(kept))
    request = Request(
        model=given.model,
        messages=_Reading().read(given.messages),
        tools=tuple(_tool(tool, f"$.tools[{number}]") for number, tool in enumerate(given.tools or ())),
        max_output=_max_output(given.options),
        sampling=_sampling(given.options or Options()),
        reasoning=_reasoning(given.think),
        output_format=_format(given.format),
        extra={FAMILY: rest} if rest else {},
    )
    return OllamaAsk(request, given.stream is not False)


class _Reading:
    """Reads messages in order. A result answers the call of its id, else the oldest open one of its name."""

    def __init__(self) -> None:
        self._open: dict[CallId, str] = {}

    def read(self, given: list[GivenMessage]) -> tuple[Message, ...]:
        if not given:
            raise _refuse("$.messages", "At least one message is needed.")
        return tuple(
            Message(new_message_id(), message.role, self._parts(message, f"$.messages[{number}]"))
            for number, message in enumerate(given)
        )

    def _parts(self, message: GivenMessage, path: str) -> tuple[Part, ...]:
        if message.role == "tool":
            return (self._result(message, path),)
        thought = [Reasoning(message.thinking)] if message.thinking else []
        text = [Text(message.content)] if message.content else []
        images = [_image(data, f"{path}.images[{number}]") for number, data in enumerate(message.images or ())]
        calls = [self._call(call, f"{path}.tool_calls[{n}]") for n, call in enumerate(message.tool_calls or ())]
        return (*thought, *text, *images, *calls)

    def _call(self, call: GivenCall, path: str) -> ToolCall:
        if not call.function.name:
            raise _refuse(f"{path}.function.name", "It must not be empty.")
        arguments = _checked(call.function.arguments, f"{path}.function.arguments")
        text = bytes(arguments).decode()
        if not text.startswith("{"):
            raise _refuse(f"{path}.function.arguments", "It must be an object.")
        id = CallId(call.id or new_call_id())
        self._open[id] = call.function.name
        return ToolCall(id, call.function.name, text)

    def _result(self, message: GivenMessage, path: str) -> ToolResult:
        wanted, name = message.tool_call_id, message.tool_name
        found = next(
            (id for id, own in self._open.items() if wanted == id or (not wanted and name in (None, own))), None
        )
        if found is None:
            raise _refuse(path, "It answers no call that a message before it makes.")
        return ToolResult(found, self._open.pop(found), message.content or "")


def _image(data: str, path: str) -> Image:
    try:
        return Image(Inline(b64decode(data, validate=True)))
    except (Base64Error, ValueError) as error:
        raise _refuse(path, "It is not valid base64.") from error


def _tool(tool: WireTool, path: str) -> ToolSpec:
    function = tool.function
    if bytes(function.parameters) in (b"", b"null"):
        return ToolSpec(function.name, function.description or "")
    parameters = _checked(function.parameters, f"{path}.function.parameters")
    return ToolSpec(function.name, function.description or "", parameters)


def _max_output(options: Options | None) -> int | None:
    """-1 and -2 mean as much as there is room for."""
    limit = options.num_predict if options is not None else None
    return limit if limit is not None and limit > 0 else None


def _sampling(options: Options) -> Sampling:
    return Sampling(options.temperature, options.top_p, options.top_k, options.seed, tuple(options.stop or ()))


def _reasoning(think: bool | str | None) -> ReasoningAsk:
    if isinstance(think, str):
        if think not in _EFFORTS:
            raise _refuse("$.think", f"It must be true, false, or one of {', '.join(_EFFORTS)}.")
        return ReasoningAsk(_EFFORTS[think], show=True)
    return ReasoningAsk("none") if think is False else ReasoningAsk(show=True)


def _format(raw: Raw) -> OutputFormat | None:
    if bytes(raw).startswith(b"{"):
        return OutputFormat("json_schema", schema=_checked(raw, "$.format"))
    match read_text(raw):
        case "json":
            return OutputFormat("json")
        case None | "" if bytes(raw) in (b"null", b'""'):
            return None
        case _:
            raise _refuse("$.format", 'It must be "json" or a JSON Schema.')


def _checked(raw: Raw, path: str) -> Raw:
    """What is passed on as it came, looked at once: a host must get JSON, and text that is Unicode."""
    try:
        msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _refuse(path, f"It can't be passed on: {error}.") from None
    return raw


def _refuse(path: str, message: str) -> InvalidRequest:
    return InvalidRequest(f"{path}: {message}", fields=(Field(path, message),))
