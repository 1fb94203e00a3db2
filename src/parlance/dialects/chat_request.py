"""What the chat languages of our own clients share: the message, the caller's tools, the parameters."""

import string
from collections.abc import Sequence
from typing import Annotated, Literal

from msgspec import Meta, Raw, Struct

from parlance.core.errors import Field, InvalidRequest
from parlance.core.ids import is_uuid
from parlance.core.json import decode_json
from parlance.core.messages import Message, user_message
from parlance.core.requests import (
    Effort,
    NamedTool,
    ReasoningAsk,
    Request,
    Sampling,
    ToolChoice,
    ToolSpec,
)

MAX_TOOLS = 128
MAX_TOOL_NAME = 64
_NAME_CHARACTERS = frozenset(string.ascii_letters + string.digits + "_-")


Timeout = Annotated[float, Meta(gt=0, le=86_400)]
"""Seconds."""


class Params(Struct, frozen=True, forbid_unknown_fields=True):
    """Parameters of one request. `reasoning` and `warnings` ask for frames of that kind, which are not sent otherwise.

    `restarts`: the client can be told that what it was shown is void. `timeout`: seconds for each call of a model.
    `tool_choice` is `auto`, `none`, `required` or the name of a tool.
    """

    reasoning: bool = False
    warnings: bool = False
    restarts: bool = False
    timeout: Timeout | None = None
    reasoning_effort: Effort | None = None
    temperature: Annotated[float, Meta(ge=0)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_k: int | None = None
    seed: int | None = None
    stop: str | list[str] | None = None
    max_tokens: Annotated[int, Meta(ge=1)] | None = None
    tool_choice: str = "auto"
    parallel_tool_calls: bool | None = None


class _Function(Struct, frozen=True):
    name: str | None = None
    description: str | None = None
    parameters: Raw = Raw(b"null")
    strict: bool | None = None


class _Tool(_Function, frozen=True):
    function: _Function | None = None


class ToldRestart(Struct, frozen=True):
    """What was shown since the model was last asked is void; the answer begins anew."""

    reason: str


def decode_text(text: str, *, path: str) -> Message:
    """The user's message. It must say something, and hold no NUL: stores refuse that."""
    if not text.strip():
        raise refused(path, "The text is empty. Send what the model shall answer.")
    if "\0" in text:
        raise refused(path, f"The text holds a NUL character at {text.index(chr(0))}. Send it without.")
    return user_message(text)


NEW_CHAT = "new"
"""Asks for a chat that is made with the message."""


def decode_chat_id(given: str | None, *, path: str) -> str | None:
    """A stored chat's id, or `NEW_CHAT`."""
    if given is None or given == NEW_CHAT or is_uuid(given):
        return given
    raise refused(path, f"{given[:80]!r} is no chat's id. Give the id of a chat, or {NEW_CHAT!r} to make one.")


def build_request(
    history: tuple[Message, ...], asked: Message, *, model: str | None, tools: tuple[ToolSpec, ...], params: Params
) -> Request:
    """The request for an answer to `asked`, which comes behind its history."""
    return Request(
        model=model or "",
        messages=(*history, asked),
        tools=tools,
        tool_choice=_decode_tool_choice(params.tool_choice),
        parallel_calls=params.parallel_tool_calls,
        max_output=params.max_tokens,
        sampling=Sampling(
            temperature=params.temperature,
            top_p=params.top_p,
            top_k=params.top_k,
            seed=params.seed,
            stop=(params.stop,) if isinstance(params.stop, str) else tuple(params.stop or ()),
        ),
        reasoning=ReasoningAsk(effort=params.reasoning_effort, show=params.reasoning),
        can_restart=params.restarts,
        timeout=params.timeout,
    )


def decode_tools(tools: Sequence[Raw], *, path: str) -> tuple[ToolSpec, ...]:
    """The caller's tools, flat (`name, description, parameters`) or nested under `function`. `path` is their place."""
    if len(tools) > MAX_TOOLS:
        raise refused(path, f"{len(tools)} tools are more than {MAX_TOOLS}.")
    specs = tuple(_decode_tool(tool, f"{path}[{index}]") for index, tool in enumerate(tools))
    names = [spec.name for spec in specs]
    doubled = next((name for name in names if names.count(name) > 1), None)
    if doubled is not None:
        raise refused(path, f"Two tools are named {doubled!r}.")
    return specs


def refused(path: str, message: str) -> InvalidRequest:
    """The error for one place in a message."""
    return InvalidRequest(f"{path}: {message}", fields=(Field(path, message),))


def _decode_tool(raw: Raw, path: str) -> ToolSpec:
    try:
        tool = decode_json(raw, _Tool, at=path)
    except InvalidRequest as error:
        raise InvalidRequest(f"This is no tool. {error.message}", fields=error.fields) from None
    function = tool.function or tool
    name = function.name or ""
    if not 1 <= len(name) <= MAX_TOOL_NAME or not set(name) <= _NAME_CHARACTERS:
        raise refused(
            f"{path}.name", f"A tool's name has letters, digits, `_` and `-`, at most {MAX_TOOL_NAME} in all."
        )
    schema = bytes(function.parameters)
    if schema == b"null":
        return ToolSpec(name, function.description or "", strict=function.strict)
    if not schema.startswith(b"{"):
        raise refused(f"{path}.parameters", "The parameters are a JSON Schema, which is an object.")
    return ToolSpec(name, function.description or "", Raw(schema), function.strict)


def _decode_tool_choice(choice: str) -> ToolChoice:
    words: dict[str, Literal["auto", "none", "required"]] = {"auto": "auto", "none": "none", "required": "required"}
    return words.get(choice or "auto") or NamedTool(choice)
