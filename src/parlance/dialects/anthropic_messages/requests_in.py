"""A client's request read into ours. `messages_in` reads the history."""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Raw, Struct

from parlance.core.json import decode_json
from parlance.core.parts import CacheMark
from parlance.core.requests import (
    Effort,
    NamedTool,
    OutputFormat,
    ReasoningAsk,
    Request,
    Sampling,
    ToolChoice,
    ToolSpec,
)
from parlance.dialects.anthropic_messages.messages_in import GivenMessage, check, decode_messages, decode_system, refuse
from parlance.dialects.anthropic_messages.wire import FAMILY, NOTHING
from parlance.dialects.anthropic_messages.wire_requests import CacheControl, WireChoice

_EFFORTS: Final = frozenset({"low", "medium", "high", "xhigh", "max"})


class MessagesAsk(Struct, frozen=True):
    """A request, and whether its answer shall be streamed."""

    request: Request
    stream: bool


class _Thinking(Struct):
    type: str
    budget_tokens: int | None = None
    display: str | None = None


class _Format(Struct):
    type: Literal["json_schema"]
    schema: Raw


class _OutputConfig(Struct):
    effort: str | None = None
    format: _Format | None = None


class _Tool(Struct):
    name: str = ""
    description: str | None = None
    input_schema: Raw = NOTHING
    strict: bool | None = None
    cache_control: CacheControl | None = None
    type: str | None = None


class GivenRequest(Struct):
    model: str
    max_tokens: Annotated[int, Meta(ge=1)]
    messages: list[GivenMessage]
    system: Raw = NOTHING
    stream: bool | None = None
    tools: list[Raw] | None = None
    tool_choice: WireChoice | None = None
    thinking: _Thinking | None = None
    output_config: _OutputConfig | None = None
    stop_sequences: list[str] | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None


_KNOWN: Final = frozenset(GivenRequest.__struct_fields__)


def decode_request(payload: bytes) -> MessagesAsk:
    """Raises `InvalidJson`, or `InvalidRequest` whose `fields` say where.

    Fields and tools that we have no word for are kept for hosts of this language.
    """
    given = decode_json(payload, GivenRequest)
    if not given.model:
        raise refuse("$.model", "It must not be empty.")
    fields = decode_json(payload, dict[str, Raw])
    rest = {name: check(raw, f"$.{name}") for name, raw in fields.items() if name not in _KNOWN}
    if given.thinking is not None and given.thinking.type not in ("enabled", "adaptive", "disabled"):
        rest["thinking"] = check(fields["thinking"], "$.thinking")
    tools, kept = _tools(given.tools or [])
    if kept:
        rest["tools"] = Raw(msgspec.json.encode(kept))
    request = Request(
        model=given.model,
        messages=(*decode_system(given.system), *decode_messages(given.messages)),
        tools=tools,
        tool_choice=_choice(given.tool_choice),
        parallel_calls=False if given.tool_choice is not None and given.tool_choice.disable_parallel_tool_use else None,
        max_output=given.max_tokens,
        sampling=_sampling(given),
        reasoning=_reasoning(given),
        output_format=_format(given.output_config),
        extra={FAMILY: rest} if rest else {},
    )
    return MessagesAsk(request, bool(given.stream))


def _sampling(given: GivenRequest) -> Sampling:
    return Sampling(
        temperature=given.temperature, top_p=given.top_p, top_k=given.top_k, stop=tuple(given.stop_sequences or ())
    )


def _reasoning(given: GivenRequest) -> ReasoningAsk:
    """To think as it sees fit, without a word on effort, is the effort that the API has for its usual one."""
    wanted = given.output_config.effort if given.output_config is not None else None
    effort = msgspec.convert(wanted, Effort) if wanted in _EFFORTS else None
    match given.thinking:
        case _Thinking(type="enabled", budget_tokens=budget, display=display):
            return ReasoningAsk(effort, budget, show=display != "omitted")
        case _Thinking(type="adaptive", display=display):
            return ReasoningAsk(effort or "high", show=display == "summarized")
        case _Thinking(type="disabled"):
            return ReasoningAsk("none")
        case _:
            return ReasoningAsk(effort)


def _format(config: _OutputConfig | None) -> OutputFormat | None:
    if config is None or config.format is None:
        return None
    return OutputFormat("json_schema", schema=check(config.format.schema, "$.output_config.format.schema"))


def _tools(given: list[Raw]) -> tuple[tuple[ToolSpec, ...], list[Raw]]:
    """The client's own tools, and those that the host itself carries out, as they came."""
    tools, kept = [], []
    for number, raw in enumerate(given):
        path = f"$.tools[{number}]"
        tool = decode_json(raw, _Tool, at=path)
        if tool.type not in (None, "custom"):
            kept.append(check(raw, path))
            continue
        if not tool.name or not tool.input_schema:
            raise refuse(path, "A tool needs a `name` and an `input_schema`.")
        mark = CacheMark(tool.cache_control.ttl) if tool.cache_control is not None else None
        schema = check(tool.input_schema, f"{path}.input_schema")
        tools.append(ToolSpec(tool.name, tool.description or "", schema, tool.strict, cache=mark))
    return tuple(tools), kept


def _choice(choice: WireChoice | None) -> ToolChoice:
    match choice:
        case WireChoice(type="tool", name=name):
            return NamedTool(name or "")
        case WireChoice(type="any"):
            return "required"
        case WireChoice(type="none"):
            return "none"
        case _:
            return "auto"
