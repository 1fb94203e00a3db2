"""A client's request read into ours, beside it what it says of the answer's form. `messages_in` reads the history."""

from typing import Annotated, Final

import msgspec
from msgspec import Meta, Raw, Struct

from parlance.core.json import decode_json
from parlance.core.requests import (
    AllowedTools,
    Effort,
    NamedTool,
    OutputFormat,
    ReasoningAsk,
    Request,
    Sampling,
    ToolChoice,
    ToolSpec,
)
from parlance.dialects.chat_request import refused
from parlance.dialects.openai_chat.messages_in import decode_messages
from parlance.dialects.openai_chat.thoughts import FAMILY
from parlance.dialects.openai_chat.wire_requests import (
    ChosenAllowed,
    ChosenCustom,
    ChosenFunction,
    GivenMessage,
    OfferedFunction,
    SchemaFormat,
    StreamOptions,
    TextFormat,
    WireFormat,
    WireTool,
    WireToolChoice,
)


class ChatAsk(Struct, frozen=True):
    """A request and how its answer shall be told. `include_usage`: whether a stream ends with a usage chunk."""

    request: Request
    stream: bool
    include_usage: bool


class GivenRequest(Struct):
    """The fields that we have words for; those that are typed `object` are known, and refused."""

    model: str
    messages: list[GivenMessage]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    tools: list[WireTool] | None = None
    tool_choice: WireToolChoice | None = None
    parallel_tool_calls: bool | None = None
    max_completion_tokens: Annotated[int, Meta(ge=1)] | None = None
    max_tokens: Annotated[int, Meta(ge=1)] | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    seed: int | None = None
    stop: str | list[str] | None = None
    reasoning_effort: Effort | None = None
    response_format: WireFormat | None = None
    n: object = None
    functions: object = None
    function_call: object = None
    audio: object = None
    modalities: object = None


_KNOWN: Final = frozenset(GivenRequest.__struct_fields__)
_REFUSED: Final[tuple[tuple[str, tuple[object, ...], str], ...]] = (
    ("n", (None, 1), "Only one choice per request is offered. Ask several times instead."),
    ("functions", (None, []), "It is not offered any more. Use `tools` instead."),
    ("function_call", (None, "none", "auto"), "It is not offered any more. Use `tool_choice` instead."),
    ("audio", (None,), "Answers in audio are not offered. Ask for text."),
    ("modalities", (None, ["text"]), 'Only ["text"] is offered.'),
)
"""Fields whose wish we can't meet, with the values that wish for nothing."""


def decode_request(payload: bytes) -> ChatAsk:
    """Raises `InvalidJson`, or `InvalidRequest` whose `fields` say where.

    Fields we have no word for are kept for hosts of this language.
    """
    given = decode_json(payload, GivenRequest)
    for name, harmless, message in _REFUSED:
        if getattr(given, name) not in harmless:
            raise refused(f"$.{name}", message)
    if not given.model:
        raise refused("$.model", "It must not be empty.")
    fields = decode_json(payload, dict[str, Raw])
    rest = {name: _checked(raw, f"$.{name}") for name, raw in fields.items() if name not in _KNOWN}
    request = Request(
        model=given.model,
        messages=decode_messages(given.messages),
        tools=tuple(_tool(tool, f"$.tools[{number}]") for number, tool in enumerate(given.tools or ())),
        tool_choice=_tool_choice(given.tool_choice),
        parallel_calls=given.parallel_tool_calls,
        max_output=given.max_completion_tokens if given.max_completion_tokens is not None else given.max_tokens,
        sampling=_sampling(given),
        reasoning=ReasoningAsk(effort=given.reasoning_effort, show=True),
        output_format=_format(given.response_format),
        extra={FAMILY: rest} if rest else {},
    )
    options = given.stream_options
    return ChatAsk(request, bool(given.stream), options is not None and options.include_usage)


def _sampling(given: GivenRequest) -> Sampling:
    return Sampling(
        temperature=given.temperature,
        top_p=given.top_p,
        top_k=given.top_k,
        seed=given.seed,
        stop=(given.stop,) if isinstance(given.stop, str) else tuple(given.stop or ()),
    )


def _tool(tool: WireTool, path: str) -> ToolSpec:
    if isinstance(tool, OfferedFunction):
        function = tool.function
        spec = ToolSpec(function.name, function.description or "", strict=function.strict)
        has_parameters = bytes(function.parameters) not in (b"", b"null")
        if not has_parameters:
            return spec
        parameters = _checked(function.parameters, f"{path}.function.parameters")
        return msgspec.structs.replace(spec, parameters=parameters)
    return ToolSpec(tool.custom.name, tool.custom.description or "", freeform=True)


def _tool_choice(choice: WireToolChoice | None) -> ToolChoice:
    match choice:
        case None:
            return "auto"
        case ChosenFunction(function=named) | ChosenCustom(custom=named):
            return NamedTool(named.name)
        case ChosenAllowed(allowed_tools=allowed):
            names = (one.function if isinstance(one, ChosenFunction) else one.custom for one in allowed.tools)
            return AllowedTools(allowed.mode, tuple(one.name for one in names))
        case word:
            return word


def _format(wanted: WireFormat | None) -> OutputFormat | None:
    if wanted is None or isinstance(wanted, TextFormat):
        return None
    if isinstance(wanted, SchemaFormat):
        schema = wanted.json_schema
        given = _checked(schema.schema, "$.response_format.json_schema.schema") if schema.schema else schema.schema
        return OutputFormat("json_schema", schema.name, given, schema.strict)
    return OutputFormat("json")


def _checked(raw: Raw, path: str) -> Raw:
    """What is passed on as it came, looked at once: a host must get JSON, and text that is Unicode."""
    try:
        msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise refused(path, f"It can't be passed on: {error}.") from None
    return raw
