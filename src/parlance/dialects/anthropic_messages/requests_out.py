"""A request in this language's words. What of it depends on how the model thinks is in `thinking`."""

from collections.abc import Iterator
from typing import Final

import msgspec
from msgspec import Raw

from parlance.core.provider import EncodedRequest
from parlance.core.requests import AllowedTools, NamedTool, Request, ToolChoice, ToolSpec
from parlance.dialects.anthropic_messages import quirks as quirk
from parlance.dialects.anthropic_messages.abilities import abilities_of
from parlance.dialects.anthropic_messages.content_out import Listener, encode_mark
from parlance.dialects.anthropic_messages.messages_out import encode_history
from parlance.dialects.anthropic_messages.names import LONGEST_NAME, encode_name
from parlance.dialects.anthropic_messages.schemas import close_schema
from parlance.dialects.anthropic_messages.thinking import add_thinking, bind_thinking, is_quiet
from parlance.dialects.anthropic_messages.wire import FAMILY
from parlance.dialects.anthropic_messages.wire_requests import (
    Format,
    OutputConfig,
    ResultBlock,
    WireChoice,
    WireRequest,
    WireTool,
)
from parlance.dialects.losses import Losses, own_extra
from parlance.dialects.mend import encode_json, mend_value

PATH: Final = "/messages"
_USUAL_LENGTH: Final = 8_192
"""For models of which nobody says how much they can say."""
_LONG_ENOUGH: Final = 64_000
_MARKS: Final = 4
_OLDER: Final = "2023-06-01"
_NEWER: Final = "2026-10-21"
"""Versions of the API. In the older one every model takes what it ever took."""
_FREEFORM: Final = Raw(b'{"type":"object","properties":{"input":{"type":"string"}},"required":["input"]}')


def encode_request(request: Request, *, host: str, quirks: frozenset[str]) -> EncodedRequest:
    """The request for a streamed answer; what the host can't be told is in the notices."""
    can = abilities_of(request.model)
    thoughts = not (can.bound and is_quiet(request.reasoning))
    to = Listener(host, request.model, quirks, can, thoughts, Losses())
    history = encode_history(request.messages, to)
    wire = WireRequest(
        model=request.model, max_tokens=_max_tokens(request, to), messages=history.messages(), stream=True
    )
    if len(history.system) == 1 and history.system[0].cache_control is None:
        wire.system = history.system[0].text
    else:
        wire.system = history.system or None
    _add_format(wire, request, to)
    _add_tools(wire, request, to)
    add_thinking(wire, request, to, history)
    headers = (("anthropic-version", _NEWER if quirk.VERSION_2026 in quirks else _OLDER), *bind_thinking(wire, to))
    _add_sampling(wire, request, to)
    _limit_marks(wire, to)
    extra = own_extra(request, FAMILY, to.host, to.losses)
    extra.pop("tools", None)  # They have their place among the others already.
    return EncodedRequest(PATH, _encode(wire, extra), headers, to.losses.notices)


def _max_tokens(request: Request, to: Listener) -> int:
    wanted, longest = request.max_output, to.can.longest
    if wanted is None:
        return min(longest, _LONG_ENOUGH) if longest is not None else _USUAL_LENGTH
    if longest is not None and wanted > longest:
        to.losses.add("max_output_cut", f"{to.model} answers with {longest} tokens at most, not {wanted}.")
        return longest
    return wanted


def _add_tools(wire: WireRequest, request: Request, to: Listener) -> None:
    offered, choice = request.tools, request.tool_choice
    if isinstance(choice, AllowedTools):
        names = set(choice.names)
        offered, choice = tuple(tool for tool in offered if tool.name in names), choice.mode
    wire.tools = [*(_tool(tool, to) for tool in offered), *_server_tools(request)] or None
    if wire.tools is None:
        return
    chosen = _choice(choice)
    if chosen.type in ("any", "tool") and to.can.forced == "never":
        to.losses.add("tool_choice_relaxed", f"{to.model} can't be made to call a tool: it is free to choose.")
        chosen = WireChoice("auto")
    if request.parallel_calls is False and chosen.type != "none":
        chosen.disable_parallel_tool_use = True
    wire.tool_choice = chosen if chosen != WireChoice("auto") else None


def _tool(tool: ToolSpec, to: Listener) -> WireTool:
    if len(encode_name(tool.name)) >= LONGEST_NAME and encode_name(tool.name) != tool.name:
        to.losses.add("tool_renamed", f"The tool {tool.name[:64]!r} has a name that is too long: it was shortened.")
    if tool.freeform:
        to.losses.add("freeform_rewritten", f"{to.host} has no tools that take free text: they are given JSON.")
    strict = tool.strict is True and to.can.structured
    if tool.strict and not strict:
        to.losses.add("strict_dropped", f"{to.model} does not hold strictly to a tool's schema.")
    schema = _FREEFORM if tool.freeform else tool.parameters
    return WireTool(
        encode_name(tool.name),
        tool.description or None,
        close_schema(schema) if strict else schema,
        strict or None,
        encode_mark(tool.cache),
    )


def _server_tools(request: Request) -> list[Raw]:
    """Tools that the host itself carries out, which a client of this language asked for."""
    raw = request.extra.get(FAMILY, {}).get("tools")
    return msgspec.json.decode(raw, type=list[Raw]) if raw else []


def _choice(choice: ToolChoice) -> WireChoice:
    match choice:
        case NamedTool(name=name):
            return WireChoice("tool", encode_name(name))
        case "required":
            return WireChoice("any")
        case "none":
            return WireChoice("none")
        case _:
            return WireChoice("auto")


def _add_format(wire: WireRequest, request: Request, to: Listener) -> None:
    wanted = request.output_format
    if wanted is None:
        return
    if wanted.type == "json_schema" and wanted.schema and to.can.structured:
        wire.output_config = OutputConfig(format=Format("json_schema", close_schema(wanted.schema)))
    else:
        what = "a schema for its answer" if wanted.type == "json_schema" else "the wish for any JSON, without a schema"
        to.losses.add("output_format_dropped", f"{to.model} does not take {what}: left out.")


def _add_sampling(wire: WireRequest, request: Request, to: Listener) -> None:
    asked = request.sampling
    stops = [text for text in asked.stop if text.strip()]
    if len(stops) < len(asked.stop):
        to.losses.add("stop_dropped", f"{to.host} does not stop at white space: left out.")
    wire.stop_sequences = stops or None
    if asked.seed is not None:
        to.losses.add("seed_dropped", f"{to.host} takes no seed: left out.")
    given = {"temperature": asked.temperature, "top_p": asked.top_p, "top_k": asked.top_k}
    names = [name for name, value in given.items() if value is not None]
    thinks = wire.thinking is not None and wire.thinking.type in ("enabled", "adaptive")
    if names and (to.can.sampling == "none" or thinks or quirk.VERSION_2026 in to.quirks):
        why = "while it thinks" if thinks and to.can.sampling != "none" else "in this version"
        to.losses.add("sampling_dropped", f"{to.model} does not take {', '.join(names)} {why}: left out.")
        return
    wire.temperature, wire.top_p, wire.top_k = asked.temperature, asked.top_p, asked.top_k
    if wire.temperature is not None and wire.temperature > 1:
        wire.temperature = 1.0
        to.losses.add("temperature_cut", f"{to.host} takes a temperature of at most 1: cut to that.")
    if to.can.sampling == "one" and wire.temperature is not None and wire.top_p is not None:
        wire.top_p = None
        to.losses.add("top_p_dropped", f"{to.model} takes only one of temperature and top_p: top_p was left out.")


def _limit_marks(wire: WireRequest, to: Listener) -> None:
    """At most four places can be marked: the first, which holds longest, and the last ones, which say most."""
    marked = [block for block in _markable(wire) if getattr(block, "cache_control", None) is not None]
    for block in marked[1 : 1 + max(0, len(marked) - _MARKS)]:
        to.losses.add("cache_mark_dropped", f"{to.host} takes {_MARKS} cache marks at most: the others were left out.")
        block.cache_control = None  # type: ignore[attr-defined] # only what has one is in the list


def _markable(wire: WireRequest) -> Iterator[msgspec.Struct]:
    yield from (tool for tool in wire.tools or () if isinstance(tool, WireTool))
    yield from wire.system if isinstance(wire.system, list) else ()
    for message in wire.messages:
        for block in message.content if isinstance(message.content, list) else ():
            if isinstance(block, ResultBlock) and isinstance(block.content, list):
                yield from block.content
            if not isinstance(block, Raw):
                yield block


def _encode(wire: WireRequest, extra: dict[str, Raw]) -> bytes:
    try:
        body = msgspec.json.encode(wire)
    except UnicodeEncodeError:
        body = encode_json(mend_value(msgspec.to_builtins(wire, builtin_types=(Raw,))))
    if not extra:
        return body
    # Ours win: they are what the engine counts on.
    return msgspec.json.encode({**extra, **msgspec.json.decode(body, type=dict[str, Raw])})
