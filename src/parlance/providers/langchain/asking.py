"""A request as LangChain takes it: it reads OpenAI's messages and tools, so that language's encoder writes them."""

from collections.abc import Mapping, Sequence
from typing import Final, cast

import msgspec
from msgspec import Struct

from parlance.core.messages import Message
from parlance.core.parts import Family, Reasoning, ToolCall
from parlance.core.provider import Notice
from parlance.core.requests import NamedTool, Request
from parlance.dialects.losses import Losses
from parlance.dialects.openai_chat.quirks import NO_ALLOWED_TOOLS, STRICT_FIELDS
from parlance.dialects.openai_chat.speak import LANGUAGE as OPENAI_CHAT
from parlance.providers.langchain.model_file import ChatModel, read_parameters

FAMILY: Final[Family] = "langchain"

Json = dict[str, object]

_QUIRKS: Final = frozenset({STRICT_FIELDS, NO_ALLOWED_TOOLS})


class Asking(Struct, frozen=True):
    """`messages` and `tools` in OpenAI's form; `tool_choice` in LangChain's words."""

    messages: Sequence[Json]
    tools: Sequence[Json]
    tool_choice: str | None
    stop: list[str] | None
    notices: tuple[Notice, ...]

    def prepare(self, model: ChatModel) -> tuple[ChatModel, bool]:
        """The model with the tools, and whether it has them: a model that knows none answers without, unless it must
        call one.
        """
        if not self.tools:
            return model, True
        if self.tool_choice is not None:
            return model.bind_tools(self.tools, tool_choice=self.tool_choice), True
        try:
            return model.bind_tools(self.tools), True
        except NotImplementedError:  # LangChain's own word for a model without tools: its base class raises it
            return model, False


class _Body(Struct):
    messages: list[Json]
    tools: list[Json] = []
    tool_choice: Json | str | None = None


def encode_asking(request: Request, *, host: str, takes: frozenset[str]) -> Asking:
    """`takes`: the parameters that the operator's function takes; others are told as left out."""
    losses = Losses()
    _tell_left_out(request, host, takes, losses)
    tools = tuple(tool for tool in request.tools if not tool.freeform)
    for tool in request.tools:
        if tool.freeform:
            losses.add("tool_dropped", f"{host} knows no tools that take free text: {tool.name} is not offered.")
    plain = Request(model=request.model, messages=request.messages, tools=tools, tool_choice=request.tool_choice)
    encoded = OPENAI_CHAT.encode_request(plain, host=host, quirks=_QUIRKS)
    body = msgspec.json.decode(encoded.body, type=_Body)
    _return_thoughts(body.messages, request.messages)
    return Asking(
        messages=body.messages,
        tools=[] if body.tool_choice == "none" else body.tools,
        tool_choice=_choice(request, body),
        stop=list(request.sampling.stop) or None,
        notices=(*encoded.notices, *losses.notices),
    )


def _tell_left_out(request: Request, host: str, takes: frozenset[str], losses: Losses) -> None:
    left = [name for name in read_parameters(request) if name not in takes and name != "model"]
    if request.parallel_calls is not None and request.tools:
        left.append("parallel_tool_calls")
    if request.output_format is not None:
        left.append("output_format")
    if request.reasoning.budget is not None:
        left.append("reasoning budget")
    for family, fields in request.extra.items():
        left += sorted(fields) if family != FAMILY else []
    if left:
        text = f"The models of {host} are made by its operator's file, which takes no {', '.join(left)}: left out."
        losses.add("parameters_dropped", text)


def _choice(request: Request, body: _Body) -> str | None:
    if isinstance(request.tool_choice, NamedTool):
        return request.tool_choice.name
    return "any" if body.tool_choice == "required" else None


def _return_thoughts(encoded: list[Json], messages: Sequence[Message]) -> None:
    """Models that sign what they think want it back with their calls: the blocks as they gave them."""
    thoughts = {
        str(part.id): blocks
        for message in messages
        if (blocks := _signed(message))
        for part in message.parts
        if isinstance(part, ToolCall)
    }
    for message in encoded:
        calls = cast(list[Json], message.get("tool_calls") or [])
        blocks = thoughts.get(str(calls[0].get("id")), []) if calls else []
        if blocks:
            text = message.get("content")
            said: list[Json] = [{"type": "text", "text": text}] if isinstance(text, str) and text else []
            message["content"] = [*blocks, *said]


def _signed(message: Message) -> list[Json]:
    return [
        decode_thought(part)
        for part in message.parts
        if isinstance(part, Reasoning) and part.signature is not None and part.signature.family == FAMILY
    ]


def encode_thought(block: Mapping[str, object]) -> str:
    """A signed block without its text and place, to be kept as its signature."""
    kept = {key: value for key, value in block.items() if key not in (*TEXT_FIELDS, "index")}
    return msgspec.json.encode(kept).decode()


def decode_thought(part: Reasoning) -> Json:
    block = msgspec.json.decode(part.signature.value if part.signature else "{}", type=dict[str, object])
    field = str(block.get("type"))
    return {**block, field: part.text} if field in TEXT_FIELDS else block


TEXT_FIELDS: Final = ("thinking", "reasoning")
"""Blocks of thoughts keep their text in a field of their type's name."""
