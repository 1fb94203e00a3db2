"""A client's request read into ours, beside it what it says of the answer's form. `input_in` reads the history."""

from typing import Annotated, Final

import msgspec
from msgspec import Meta, Raw, Struct

from parlance.core.errors import InvalidRequest
from parlance.core.ids import new_message_id
from parlance.core.json import decode_json
from parlance.core.messages import Message
from parlance.core.parts import Text
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
from parlance.dialects.openai_responses.input_in import decode_input
from parlance.dialects.openai_responses.requests_out import ENCRYPTED
from parlance.dialects.openai_responses.told import echo_request
from parlance.dialects.openai_responses.wire import FAMILY
from parlance.dialects.openai_responses.wire_requests import (
    ChosenAllowed,
    ChosenCustom,
    ChosenFunction,
    CustomTool,
    FunctionTool,
    SchemaFormat,
    TextFormat,
    WireFormat,
    WireToolChoice,
)
from parlance.dialects.raw_fields import read_fields, read_text


class ResponsesAsk(Struct, frozen=True):
    """A request and how its answer shall be told. `echo` are the fields that the response shows again."""

    request: Request
    stream: bool
    echo: dict[str, Raw]


class _Reasoning(Struct):
    effort: Effort | None = None
    summary: str | None = None
    generate_summary: str | None = None


class _Text(Struct):
    format: WireFormat | None = None


class _Choice(Struct):
    tool_choice: WireToolChoice | None = None


class GivenRequest(Struct):
    """The fields that we have words for; those that are typed `object` are known, and refused or done without."""

    model: str
    input: str | list[Raw]
    instructions: str | None = None
    stream: bool | None = None
    include: list[str] | None = None
    tools: list[Raw] | None = None
    tool_choice: object = None
    parallel_tool_calls: bool | None = None
    max_output_tokens: Annotated[int, Meta(ge=1)] | None = None
    temperature: float | None = None
    top_p: float | None = None
    reasoning: _Reasoning | None = None
    text: _Text | None = None
    store: object = None
    stream_options: object = None
    background: object = None
    previous_response_id: object = None
    conversation: object = None
    prompt: object = None


_KNOWN: Final = frozenset(GivenRequest.__struct_fields__)
_REFUSED: Final[tuple[tuple[str, tuple[object, ...], str], ...]] = (
    ("background", (None, False), "Answers in the background are not offered. Ask for a stream, or wait."),
    ("previous_response_id", (None,), "Responses are not kept. Send the whole conversation in `input`."),
    ("conversation", (None,), "Conversations are not kept. Send the whole conversation in `input`."),
    ("prompt", (None,), "Prompts are not kept. Send the text in `instructions`."),
)
"""Fields whose wish we can't meet, with the values that wish for nothing."""

_OURS: Final = {"reasoning": frozenset({"effort", "summary", "generate_summary"}), "text": frozenset({"format"})}
"""Fields within fields that we have words for."""


def decode_request(payload: bytes) -> ResponsesAsk:
    """Raises `InvalidJson`, or `InvalidRequest` whose `fields` say where.

    Fields and hosted tools that we have no word for are kept for hosts of this language.
    """
    given = decode_json(payload, GivenRequest)
    for name, harmless, message in _REFUSED:
        if getattr(given, name) not in harmless:
            raise refused(f"$.{name}", message)
    if not given.model:
        raise refused("$.model", "It must not be empty.")
    fields = decode_json(payload, dict[str, Raw])
    tools, hosted = _tools(given.tools or [])
    rest = _rest(given, fields, hosted)
    reasoning = given.reasoning or _Reasoning()
    messages = decode_input(given.input)
    if given.instructions:
        messages = (Message(new_message_id(), "system", (Text(given.instructions),)), *messages)
    request = Request(
        model=given.model,
        messages=messages,
        tools=tools,
        tool_choice=_tool_choice(payload, rest),
        parallel_calls=given.parallel_tool_calls,
        max_output=given.max_output_tokens,
        sampling=Sampling(temperature=given.temperature, top_p=given.top_p),
        reasoning=ReasoningAsk(reasoning.effort, show=bool(reasoning.summary or reasoning.generate_summary)),
        output_format=_format(given.text),
        extra={FAMILY: rest} if rest else {},
    )
    return ResponsesAsk(request, bool(given.stream), echo_request(fields))


def _tools(given: list[Raw]) -> tuple[tuple[ToolSpec, ...], list[Raw]]:
    """The client's own tools, and those that are the host's."""
    specs, hosted = [], []
    for number, raw in enumerate(given):
        path = f"$.tools[{number}]"
        match read_text(read_fields(raw).get("type")):
            case "function":
                specs.append(_function(decode_json(raw, FunctionTool, at=path), path))
            case "custom":
                specs.append(_custom(decode_json(raw, CustomTool, at=path), path))
            case str():
                hosted.append(_checked(raw, path))
            case None:
                raise refused(f"{path}.type", "A tool needs one, such as `function`.")
    return tuple(specs), hosted


def _custom(tool: CustomTool, path: str) -> ToolSpec:
    if read_text(read_fields(tool.format).get("type")) not in (None, "text"):
        raise refused(f"{path}.format", "Grammars can't be passed on. Ask for text.")
    return ToolSpec(tool.name, tool.description or "", freeform=True)


def _function(tool: FunctionTool, path: str) -> ToolSpec:
    spec = ToolSpec(tool.name, tool.description or "", strict=tool.strict)
    if bytes(tool.parameters) == b"null":
        return spec
    return msgspec.structs.replace(spec, parameters=_checked(tool.parameters, f"{path}.parameters"))


def _tool_choice(payload: bytes, rest: dict[str, Raw]) -> ToolChoice:
    """The choice of a host's own tool is kept as it is."""
    try:
        choice = decode_json(payload, _Choice).tool_choice
    except InvalidRequest:
        raw = read_fields(Raw(payload))["tool_choice"]
        kind = read_text(read_fields(raw).get("type"))
        if kind is None or kind in ("function", "custom", "allowed_tools"):
            raise
        rest["tool_choice"] = _checked(raw, "$.tool_choice")
        return "auto"
    match choice:
        case None:
            return "auto"
        case ChosenFunction(name=name) | ChosenCustom(name=name):
            return NamedTool(name)
        case ChosenAllowed(mode=mode, tools=tools):
            return AllowedTools(mode, tuple(one.name for one in tools))
        case word:
            return word


def _format(text: _Text | None) -> OutputFormat | None:
    wanted = text.format if text is not None else None
    if wanted is None or isinstance(wanted, TextFormat):
        return None
    if isinstance(wanted, SchemaFormat):
        schema = _checked(wanted.schema, "$.text.format.schema") if wanted.schema else wanted.schema
        return OutputFormat("json_schema", wanted.name, schema, wanted.strict)
    return OutputFormat("json")


def _rest(given: GivenRequest, fields: dict[str, Raw], hosted: list[Raw]) -> dict[str, Raw]:
    rest = {name: _checked(raw, f"$.{name}") for name, raw in fields.items() if name not in _KNOWN}
    for name, ours in _OURS.items():
        inner = {key: _checked(raw, f"$.{name}") for key, raw in read_fields(fields.get(name)).items()}
        if more := {key: raw for key, raw in inner.items() if key not in ours}:
            rest[name] = Raw(msgspec.json.encode(more))
    if hosted:
        rest["tools"] = Raw(msgspec.json.encode(hosted))
    if more_wanted := [one for one in given.include or () if one != ENCRYPTED]:
        rest["include"] = Raw(msgspec.json.encode(more_wanted))
    return rest


def _checked(raw: Raw, path: str) -> Raw:
    """What is passed on as it came, looked at once: a host must get JSON, and text that is Unicode."""
    try:
        msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise refused(path, f"It can't be passed on: {error}.") from None
    return raw
