"""A request in this language's words."""

from typing import Final

import msgspec
from msgspec import Raw, Struct

from parlance.core.provider import EncodedRequest
from parlance.core.requests import AllowedTools, Effort, NamedTool, Request, ToolSpec
from parlance.dialects.losses import Losses, own_extra
from parlance.dialects.mend import encode_json
from parlance.dialects.ollama.messages_out import Listener, encode_messages
from parlance.dialects.ollama.window import estimate_tokens, fit_window
from parlance.dialects.ollama.wire import FAMILY, OfferedFunction, Options, WireMessage, WireTool
from parlance.dialects.raw_fields import Fields, read_fields

PATH: Final = "/api/chat"

_LEVELS: Final[dict[Effort, bool | str]] = {
    "none": False,
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "high",
    "max": "max",
}


class WireRequest(Struct, omit_defaults=True, kw_only=True):
    """`stream` is true where it is absent, but who reads along shall see it."""

    model: str
    messages: Raw
    stream: bool
    tools: Raw | msgspec.UnsetType = msgspec.UNSET
    think: bool | str | None = None
    format: Raw | msgspec.UnsetType = msgspec.UNSET
    options: Raw | msgspec.UnsetType = msgspec.UNSET


def encode_request(request: Request, *, host: str) -> EncodedRequest:
    """The request for a streamed answer; what the host can't be told is in the notices."""
    to = Listener(host, Losses())
    messages = encode_messages(request.messages, to)
    tools = [_tool(tool) for tool in _offered(request, to)]
    wire = WireRequest(model=request.model, messages=Raw(encode_json(messages)), stream=True)
    if tools:
        wire.tools = Raw(encode_json(tools))
    wire.think = _think(request, to)
    if request.output_format is not None:
        schema = request.output_format.schema
        wire.format = Raw(b'"json"') if request.output_format.type == "json" or not schema else schema
    extra = own_extra(request, FAMILY, to.host, to.losses)
    given = read_fields(extra.pop("options", None))
    options = _options(request)
    needs = None
    if "num_ctx" not in given:
        prompt = estimate_tokens(*_size(wire, messages))
        fit = fit_window(prompt, request.max_output, request.window)
        options.num_ctx, needs = fit.num_ctx, fit.needs
        if fit.too_large and request.window is not None:
            to.losses.add("request_cut", _cut_text(request, prompt, request.window.tokens, host))
    if merged := {**given, **_fields(options)}:
        wire.options = Raw(encode_json(merged))
    body = encode_json({**extra, **_fields(wire)} if extra else wire)
    return EncodedRequest(PATH, body, notices=to.losses.notices, needs=needs)


def _fields(value: Struct) -> Fields:
    return msgspec.json.decode(encode_json(value), type=Fields)


def _size(wire: WireRequest, messages: list[WireMessage]) -> tuple[int, int]:
    """Bytes without the images, and how many images."""
    images = [image for message in messages for image in message.images or ()]
    tools = b"" if wire.tools is msgspec.UNSET else bytes(wire.tools)
    return len(bytes(wire.messages)) + len(tools) - sum(map(len, images)), len(images)


def _cut_text(request: Request, prompt: int, window: int, host: str) -> str:
    return (
        f"The request has about {prompt} tokens, and {request.model} at {host} takes {window} at once: the host leaves "
        "out what is oldest. Begin a new conversation, or ask a model that takes more."
    )


def _options(request: Request) -> Options:
    sampling = request.sampling
    return Options(
        num_predict=request.max_output,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        top_k=sampling.top_k,
        seed=sampling.seed,
        stop=list(sampling.stop) or None,
    )


def _offered(request: Request, to: Listener) -> list[ToolSpec]:
    """Choices can only be made by offering less: nothing makes a model call one."""
    offered, choice = list(request.tools), request.tool_choice
    forced = choice == "required"
    match choice:
        case "none":
            return []
        case NamedTool(name=name):
            offered, forced = [tool for tool in offered if tool.name == name], True
        case AllowedTools(mode=mode, names=names):
            offered, forced = [tool for tool in offered if tool.name in names], mode == "required"
        case _:
            pass
    if forced:
        text = (
            f"{to.host} can't make a model call a tool: it is offered only what it shall call, and may answer itself."
        )
        to.losses.add("tool_choice_dropped", text)
    if offered and request.parallel_calls is False:
        to.losses.add("parallel_calls_dropped", f"{to.host} can't keep a model from calling several tools at once.")
    for tool in offered:
        if tool.freeform:
            text = f"{to.host} knows no tools that take free text: {tool.name} is not offered."
            to.losses.add("tool_dropped", text)
        elif tool.strict:
            text = f"{to.host} does not hold a model to the schema of a tool: `strict` was left out."
            to.losses.add("strict_dropped", text)
    return [tool for tool in offered if not tool.freeform]


def _tool(tool: ToolSpec) -> WireTool:
    return WireTool("function", OfferedFunction(tool.name, tool.description or None, tool.parameters))


def _think(request: Request, to: Listener) -> bool | str | None:
    ask = request.reasoning
    if ask.budget is not None:
        text = f"{to.host} takes no budget for reasoning, only a level: left out."
        to.losses.add("reasoning_budget_dropped", text)
    if ask.effort is None:
        return None if ask.budget is None else ask.budget != 0
    level = _LEVELS[ask.effort]
    if isinstance(level, str) and level != ask.effort:
        text = f"{to.host} knows no effort {ask.effort!r} for reasoning: {level!r} was asked for."
        to.losses.add("reasoning_effort_changed", text)
    return level
