"""A request in this language's words."""

import msgspec
from msgspec import Raw, Struct

from parlance.core.provider import EncodedRequest
from parlance.core.requests import AllowedTools, NamedTool, Request, ToolSpec
from parlance.dialects.losses import Losses, own_extra
from parlance.dialects.mend import encode_json
from parlance.dialects.openai_chat import quirks as quirk
from parlance.dialects.openai_chat.content_out import Listener
from parlance.dialects.openai_chat.messages_out import encode_messages
from parlance.dialects.openai_chat.thoughts import FAMILY
from parlance.dialects.openai_chat.wire_requests import (
    AllowedSet,
    ChosenAllowed,
    ChosenCustom,
    ChosenFunction,
    CustomTool,
    FunctionTool,
    JsonFormat,
    JsonSchema,
    OfferedCustom,
    OfferedFunction,
    SchemaFormat,
    StreamOptions,
    ToolName,
    WireFormat,
    WireMessage,
    WireTool,
    WireToolChoice,
)

PATH = "/chat/completions"


class WireRequest(Struct, omit_defaults=True):
    model: str
    messages: list[WireMessage]
    stream: bool = False
    stream_options: StreamOptions | None = None
    tools: list[WireTool] | None = None
    tool_choice: WireToolChoice | None = None
    parallel_tool_calls: bool | None = None
    max_completion_tokens: int | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    seed: int | None = None
    random_seed: int | None = None
    stop: list[str] | None = None
    reasoning_effort: str | None = None
    response_format: WireFormat | None = None


def encode_request(request: Request, *, host: str, quirks: frozenset[str]) -> EncodedRequest:
    """The request for a streamed answer; what the host can't be told is in the notices."""
    to = Listener(host, quirks, Losses())
    wire = WireRequest(
        model=request.model,
        messages=encode_messages(request.messages, to),
        stream=True,
        stream_options=None if quirk.NO_STREAM_OPTIONS in quirks else StreamOptions(include_usage=True),
        stop=list(request.sampling.stop) or None,
        temperature=request.sampling.temperature,
        top_p=request.sampling.top_p,
        seed=None if quirk.RANDOM_SEED in quirks else request.sampling.seed,
        random_seed=request.sampling.seed if quirk.RANDOM_SEED in quirks else None,
        reasoning_effort=request.reasoning.effort,
        response_format=_format(request),
    )
    if quirk.MAX_TOKENS_FIELD in quirks:
        wire.max_tokens = request.max_output
    else:
        wire.max_completion_tokens = request.max_output
    _add_tools(wire, request, quirks)
    _add_beyond_specification(wire, request, to)
    extra = own_extra(request, FAMILY, to.host, to.losses)
    return EncodedRequest(PATH, _encode(wire, extra), notices=to.losses.notices)


def _add_tools(wire: WireRequest, request: Request, quirks: frozenset[str]) -> None:
    if not request.tools:
        return
    offered, choice = request.tools, request.tool_choice
    freeform = {tool.name for tool in request.tools if tool.freeform}
    if isinstance(choice, AllowedTools) and quirk.NO_ALLOWED_TOOLS in quirks:
        names = set(choice.names)
        offered, choice = tuple(tool for tool in offered if tool.name in names), choice.mode
    wire.tools = [_tool(tool) for tool in offered] or None
    wire.parallel_tool_calls = request.parallel_calls
    match choice:
        case NamedTool(name=name):
            wire.tool_choice = _chosen(name, freeform)
        case AllowedTools(mode=mode, names=allowed):
            wire.tool_choice = ChosenAllowed(AllowedSet(mode, [_chosen(name, freeform) for name in allowed]))
        case "none" | "required":
            wire.tool_choice = choice if wire.tools else None
        case _:
            # `auto` is what every host does anyway, and some refuse to hear it.
            pass


def _tool(tool: ToolSpec) -> WireTool:
    description = tool.description or None
    if tool.freeform:
        return OfferedCustom(CustomTool(tool.name, description))
    return OfferedFunction(FunctionTool(tool.name, description, tool.parameters, tool.strict))


def _chosen(name: str, freeform: set[str]) -> ChosenFunction | ChosenCustom:
    return ChosenCustom(ToolName(name)) if name in freeform else ChosenFunction(ToolName(name))


def _format(request: Request) -> WireFormat | None:
    wanted = request.output_format
    if wanted is None:
        return None
    if wanted.type == "json":
        return JsonFormat()
    return SchemaFormat(JsonSchema(wanted.name or "answer", wanted.schema, wanted.strict))


def _add_beyond_specification(wire: WireRequest, request: Request, to: Listener) -> None:
    if request.reasoning.budget is not None:
        to.losses.add("reasoning_budget_dropped", f"{to.host} takes no budget for reasoning, only an effort: left out.")
    if request.sampling.top_k is None:
        return
    if quirk.STRICT_FIELDS in to.quirks:
        to.losses.add("top_k_dropped", f"{to.host} does not take top_k: left out.")
    else:
        wire.top_k = request.sampling.top_k


def _encode(wire: WireRequest, extra: dict[str, Raw]) -> bytes:
    body = encode_json(wire)
    if not extra:
        return body
    # Ours win: they are what the engine counts on.
    merged = {**extra, **msgspec.json.decode(body, type=dict[str, Raw])}
    return msgspec.json.encode(merged)
