"""A request in this language's words."""

from typing import Final
from urllib.parse import quote

import msgspec
from msgspec import Raw, Struct

from parlance.core.provider import EncodedRequest
from parlance.core.requests import AllowedTools, Effort, NamedTool, Request, ToolSpec
from parlance.dialects.gemini.contents_out import encode_contents, encode_system
from parlance.dialects.gemini.generations import checks_signatures, never_rests, takes_minimal, thinks
from parlance.dialects.gemini.names import MOST, encode_name
from parlance.dialects.gemini.parts_out import Listener
from parlance.dialects.gemini.proofs import FAMILY
from parlance.dialects.gemini.wire import NOTHING
from parlance.dialects.gemini.wire_requests import (
    CallingConfig,
    Declaration,
    GenerationConfig,
    Level,
    SaidContent,
    ThinkingConfig,
)
from parlance.dialects.losses import Losses, own_extra
from parlance.dialects.mend import encode_json
from parlance.dialects.raw_fields import Fields, read_fields, read_items

_LEVELS: Final[dict[Effort, Level]] = {
    "none": "MINIMAL",
    "minimal": "MINIMAL",
    "low": "LOW",
    "medium": "MEDIUM",
    "high": "HIGH",
    "xhigh": "XHIGH",
    "max": "XHIGH",
}
_BUDGETS: Final[dict[Effort, int]] = {
    "none": 0,
    "minimal": 512,
    "low": 1024,
    "medium": 8192,
    "high": 24576,
    "xhigh": 24576,
    "max": 24576,
}
"""For models that know no levels. The largest is what the smallest of them takes."""

_LEAST_BUDGET: Final = 128
"""For models that can't rest."""


class _Tool(Struct, rename="camel"):
    function_declarations: list[Declaration]


class _ToolConfig(Struct, rename="camel"):
    function_calling_config: CallingConfig


class WireRequest(Struct, omit_defaults=True, rename="camel"):
    contents: list[SaidContent]
    system_instruction: SaidContent | None = None
    tools: list[_Tool] | None = None
    tool_config: _ToolConfig | None = None
    generation_config: GenerationConfig | None = None


def encode_request(request: Request, *, host: str) -> EncodedRequest:
    """The request for a streamed answer; what the host can't be told is in the notices."""
    to = Listener(host, request.model, Losses())
    config = _config(request, to)
    wire = WireRequest(
        contents=encode_contents(request.messages, to),
        system_instruction=encode_system(request.messages, to),
        generation_config=config if config != GenerationConfig() else None,
    )
    _add_tools(wire, request, to)
    body = _merge(encode_json(wire), own_extra(request, FAMILY, to.host, to.losses))
    return EncodedRequest(_path(request.model), body, notices=to.losses.notices)


def _path(model: str) -> str:
    folder, slash, name = model.rpartition("/")
    known = slash and folder in ("models", "tunedModels")
    return f"/{folder if known else 'models'}/{quote(name if known else model, safe='')}:streamGenerateContent?alt=sse"


def _config(request: Request, to: Listener) -> GenerationConfig:
    sampling, wanted = request.sampling, request.output_format
    return GenerationConfig(
        max_output_tokens=request.max_output,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        top_k=sampling.top_k,
        seed=sampling.seed,
        stop_sequences=list(sampling.stop) or None,
        thinking_config=_thinking(request, to),
        response_mime_type="application/json" if wanted is not None else None,
        response_json_schema=wanted.schema if wanted is not None and wanted.type == "json_schema" else NOTHING,
    )


def _thinking(request: Request, to: Listener) -> ThinkingConfig | None:
    asked = request.reasoning
    effort, budget = asked.effort, asked.budget
    if not thinks(request.model):
        if budget or effort not in (None, "none"):
            to.losses.add("reasoning_dropped", f"The model {request.model} does not think: the wish was left out.")
        return None
    if effort is not None and budget is not None:
        to.losses.add("reasoning_effort_dropped", f"{to.host} takes an effort or a budget for reasoning: the budget.")
    level: Level | None = None
    if effort is not None and budget is None:
        if checks_signatures(request.model):
            level = _level(effort, request.model, to)
        else:
            budget = _BUDGETS[effort]
    if budget == 0 and never_rests(request.model):
        budget = _LEAST_BUDGET
        to.losses.add("reasoning_not_off", f"The model {request.model} can't but think: it thinks least.")
    config = ThinkingConfig(asked.show or None, budget, level)
    return config if config != ThinkingConfig() else None


def _level(effort: Effort, model: str, to: Listener) -> Level:
    level = _LEVELS[effort]
    if effort == "none":
        to.losses.add("reasoning_not_off", f"The model {model} can't but think: it thinks least.")
    if level != "MINIMAL" or takes_minimal(model):
        return level
    if effort != "none":
        to.losses.add(
            "reasoning_effort_changed", f"The model {model} does not take the effort {effort!r}: 'low' instead."
        )
    return "LOW"


def _add_tools(wire: WireRequest, request: Request, to: Listener) -> None:
    offered = [tool for tool in request.tools if _is_sayable(tool, to)]
    if request.parallel_calls is False:
        to.losses.add("parallel_calls_dropped", f"{to.host} can't be kept from calling several tools at once.")
    if not offered:
        return
    wire.tools = [_Tool([_declare(tool) for tool in offered])]
    config = _calling(request, {tool.name for tool in offered}, strict=any(tool.strict for tool in offered))
    wire.tool_config = _ToolConfig(config) if config is not None else None


def _is_sayable(tool: ToolSpec, to: Listener) -> bool:
    if tool.freeform:
        to.losses.add("tool_dropped", f"{to.host} knows no tools that take plain text: {tool.name} was not offered.")
    elif len(encode_name(tool.name)) > MOST:
        to.losses.add("tool_dropped", f"{to.host} takes no tool with so long a name: {tool.name} was not offered.")
    else:
        return True
    return False


def _declare(tool: ToolSpec) -> Declaration:
    return Declaration(encode_name(tool.name), tool.description or None, tool.parameters)


def _calling(request: Request, offered: set[str], *, strict: bool) -> CallingConfig | None:
    match request.tool_choice:
        case "none":
            return CallingConfig("NONE")
        case "required":
            return CallingConfig("ANY")
        case NamedTool(name=name) if name not in offered and any(tool.name == name for tool in request.tools):
            # It could not be offered, which has been said.
            return CallingConfig("NONE")
        case NamedTool(name=name):
            return CallingConfig("ANY", [encode_name(name)])
        case AllowedTools(mode=mode, names=names):
            allowed = [encode_name(name) for name in names if name in offered]
            if not allowed:
                return CallingConfig("NONE")  # an empty list would allow every tool
            return CallingConfig("ANY" if mode == "required" else "VALIDATED", allowed)
        case _:
            # `AUTO` is what every host does anyway.
            return CallingConfig("VALIDATED") if strict else None


def _merge(body: bytes, extra: Fields) -> bytes:
    """Ours win: the engine counts on them. Beside ours stand the host's own tools, and fields of our fields."""
    if not extra:
        return body
    ours = read_fields(Raw(body))
    merged = extra | ours
    if "tools" in extra and "tools" in ours:
        merged["tools"] = Raw(msgspec.json.encode(read_items(ours["tools"]) + read_items(extra["tools"])))
    for name in ("generationConfig", "toolConfig"):
        if name in extra and name in ours:
            merged[name] = Raw(msgspec.json.encode(read_fields(extra[name]) | read_fields(ours[name])))
    return msgspec.json.encode(merged)
