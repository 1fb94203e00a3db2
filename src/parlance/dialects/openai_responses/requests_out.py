"""A request in this language's words. Nothing is kept by the host: the whole history is sent, thoughts sealed."""

from typing import Final

import msgspec
from msgspec import Raw, Struct

from parlance.core.provider import EncodedRequest
from parlance.core.requests import AllowedTools, NamedTool, Request, ToolSpec
from parlance.dialects.losses import Losses, own_extra
from parlance.dialects.mend import encode_json
from parlance.dialects.openai_responses import quirks as quirk
from parlance.dialects.openai_responses.content_out import Listener
from parlance.dialects.openai_responses.input_out import encode_input
from parlance.dialects.openai_responses.wire import FAMILY
from parlance.dialects.openai_responses.wire_requests import (
    ChosenAllowed,
    ChosenCustom,
    ChosenFunction,
    CustomTool,
    FunctionTool,
    Item,
    JsonFormat,
    SchemaFormat,
    WireFormat,
    WireToolChoice,
)
from parlance.dialects.raw_fields import read_fields, read_items

PATH: Final = "/responses"
ENCRYPTED: Final = "reasoning.encrypted_content"
LEAST_OUTPUT: Final = 16

_NEVER_REASON: Final = ("gpt-3", "gpt-4", "chatgpt-")
"""Beginnings of names of models that refuse whatever has to do with reasoning."""


class WireReasoningAsk(Struct, omit_defaults=True):
    effort: str | None = None
    summary: str | None = None


class WireText(Struct, omit_defaults=True):
    format: WireFormat | None = None


class WireRequest(Struct, omit_defaults=True):
    model: str
    input: list[Item]
    store: bool | None = None
    stream: bool = False
    instructions: str | None = None
    include: list[str] | None = None
    tools: list[FunctionTool | CustomTool] | None = None
    tool_choice: WireToolChoice | None = None
    parallel_tool_calls: bool | None = None
    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    reasoning: WireReasoningAsk | None = None
    text: WireText | None = None


def encode_request(request: Request, *, host: str, quirks: frozenset[str]) -> EncodedRequest:
    """The request for a streamed answer; what the host can't be told is in the notices."""
    to = Listener(host, quirks, Losses())
    instructions, items = encode_input(request.messages, to)
    wire = WireRequest(
        model=request.model,
        input=items,
        store=False,
        stream=True,
        instructions=instructions,
        max_output_tokens=_max_output(request, to),
        temperature=request.sampling.temperature,
        top_p=request.sampling.top_p,
    )
    form = _format(request)
    wire.text = WireText(form) if form is not None else None
    _add_reasoning(wire, request, to)
    _add_tools(wire, request, quirks)
    _tell_what_is_left_out(request, to)
    extra = own_extra(request, FAMILY, to.host, to.losses)
    return EncodedRequest(PATH, _encode(wire, extra), notices=to.losses.notices)


def _max_output(request: Request, to: Listener) -> int | None:
    if request.max_output is None or request.max_output >= LEAST_OUTPUT:
        return request.max_output
    to.losses.add("max_output_raised", f"{to.host} takes no limit of output under {LEAST_OUTPUT} tokens: it is that.")
    return LEAST_OUTPUT


def _add_reasoning(wire: WireRequest, request: Request, to: Listener) -> None:
    ask = request.reasoning
    reasons = not request.model.rpartition("/")[2].startswith(_NEVER_REASON)
    if reasons and quirk.NO_ENCRYPTED_REASONING not in to.quirks:
        wire.include = [ENCRYPTED]
    if not reasons and ask.effort not in (None, "none"):
        to.losses.add("reasoning_dropped", f"{request.model} does not reason: the effort was left out.")
    if reasons and (ask.effort is not None or ask.show):
        wire.reasoning = WireReasoningAsk(ask.effort, "auto" if ask.show and ask.effort != "none" else None)


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
        case AllowedTools(names=()):
            wire.tool_choice = "none"
        case AllowedTools(mode=mode, names=allowed):
            wire.tool_choice = ChosenAllowed(mode, [_chosen(name, freeform) for name in allowed])
        case "none" | "required":
            wire.tool_choice = choice if wire.tools else None
        case _:
            # `auto` is what every host does anyway.
            pass


def _tool(tool: ToolSpec) -> FunctionTool | CustomTool:
    description = tool.description or None
    if tool.freeform:
        return CustomTool(name=tool.name, description=description)
    return FunctionTool(
        name=tool.name, description=description, parameters=tool.parameters, strict=tool.strict or False
    )


def _chosen(name: str, freeform: set[str]) -> ChosenFunction | ChosenCustom:
    return ChosenCustom(name) if name in freeform else ChosenFunction(name)


def _format(request: Request) -> WireFormat | None:
    wanted = request.output_format
    if wanted is None:
        return None
    if wanted.type == "json":
        return JsonFormat()
    return SchemaFormat(wanted.name or "answer", wanted.schema, wanted.strict)


def _tell_what_is_left_out(request: Request, to: Listener) -> None:
    if request.reasoning.budget is not None:
        to.losses.add("reasoning_budget_dropped", f"{to.host} takes no budget for reasoning, only an effort: left out.")
    given = {"top_k": request.sampling.top_k, "seed": request.sampling.seed, "stop": request.sampling.stop or None}
    for name, value in given.items():
        if value is not None:
            to.losses.add(f"{name}_dropped", f"{to.host} does not take {name}: left out.")


def _encode(wire: WireRequest, extra: dict[str, Raw]) -> bytes:
    body = encode_json(wire)
    if not extra:
        return body
    # Ours win: they are what the engine counts on. What has several entries is joined.
    ours = msgspec.json.decode(body, type=dict[str, Raw])
    merged = {**extra, **ours}
    for name in extra.keys() & {"tools", "include"}:
        entries = {bytes(one): one for one in [*read_items(ours.get(name)), *read_items(extra[name])]}
        merged[name] = Raw(msgspec.json.encode(list(entries.values())))
    for name in extra.keys() & {"reasoning", "text"}:
        merged[name] = Raw(msgspec.json.encode({**read_fields(extra[name]), **read_fields(ours.get(name))}))
    return msgspec.json.encode(merged)
