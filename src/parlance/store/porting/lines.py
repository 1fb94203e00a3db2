"""The lines of an export: a JSON object each, whose fields bear the names of their table's columns."""

from datetime import datetime
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Raw, Struct

from parlance.core.attempts import Outcome
from parlance.core.fault import Fault
from parlance.core.messages import Role
from parlance.core.parts import Part
from parlance.core.principal import Principal
from parlance.core.stores.chats import Names
from parlance.core.stores.turns import State
from parlance.core.usage import Finish, Usage

FORMAT: Final = "parlance-export"
VERSION: Final = 1
"""Goes up when a program that reads the one before would misunderstand a file."""

NOTHING: Final = Raw(b"null")

Moment = Annotated[datetime, Meta(tz=True)]


class _Line(Struct, frozen=True, tag_field="kind", forbid_unknown_fields=True, kw_only=True):
    pass


class RowLine(_Line, frozen=True):
    """A line that is a row of a table."""


class Head(_Line, frozen=True, tag="head"):
    """The first line. `model_calls`: whether the log of model calls is in the file."""

    format: str
    version: int
    made_by: str
    model_calls: bool


class SubtenantLine(RowLine, frozen=True, tag="subtenant"):
    """What follows is this subtenant's, up to the next one."""

    id: str
    name: str | None
    metadata: dict[str, object]
    created_at: Moment
    updated_at: Moment


class AssistantLine(RowLine, frozen=True, tag="assistant"):
    """`subtenant_id` None: of the whole service; those stand before the first subtenant."""

    id: str
    subtenant_id: str | None
    name: str
    description: str | None
    system_prompt: str | None
    enabled_functions: Names
    enabled_mcp_tools: Names
    function_parameters: dict[str, object]
    mcp_tool_parameters: dict[str, object]
    is_active: bool
    created_at: Moment
    updated_at: Moment


class MemoryLine(RowLine, frozen=True, tag="memory"):
    id: str
    subtenant_id: str
    key: str
    value: object
    created_at: Moment
    updated_at: Moment


class ChatLine(RowLine, frozen=True, tag="chat"):
    """Its turns follow, each with its log and its messages."""

    id: str
    subtenant_id: str
    assistant_id: str | None
    title: str | None
    system_message: str | None
    enabled_functions: Names
    enabled_mcp_tools: Names
    created_at: Moment
    updated_at: Moment


class TurnLine(RowLine, frozen=True, tag="turn"):
    """Without its owner, which is a process. `asked` is whole or null."""

    id: str
    chat_id: str
    position: int
    epoch: str
    former_epochs: tuple[tuple[int, str], ...] | None
    head: int
    principal: Principal
    door: str
    request_id: str
    model: str
    provider: str
    asked: Raw
    state: State
    finish: Finish | None
    usage: Usage | None
    fault: Fault | None
    accepted_at: Moment
    ended_at: Moment | None
    trimmed_at: Moment | None


class PieceLine(RowLine, frozen=True, tag="piece"):
    """Events of the turn above, `first` to `last`, as the table of pieces has them."""

    turn_id: str
    first: int
    last: int
    epoch: str
    lost: int | None
    events: Raw


class MessageLine(RowLine, frozen=True, tag="message"):
    """Of the turn above; `turn_id` None: of before the chat's first turn."""

    id: str
    chat_id: str
    turn_id: str | None
    role: Role
    parts: tuple[Part, ...]
    host: str | None
    model: str | None
    family: str | None
    finish: Finish | None
    usage: Usage | None
    enabled_functions: Names
    enabled_mcp_tools: Names
    created_at: Moment


class ModelCallLine(RowLine, frozen=True, tag="model_call"):
    id: str
    subtenant_id: str
    chat_id: str | None
    turn_id: str | None
    request_id: str | None
    door: str
    provider: str
    model: str
    number: int
    outcome: Outcome
    error: str | None
    upstream_id: str | None
    input: int | None
    output: int | None
    cached: int | None
    cache_written: int | None
    reasoning: int | None
    estimated: bool | None
    cost: float | None
    first: float | None
    duration: float
    created_at: Moment


class End(_Line, frozen=True, tag="end"):
    """The last line. `lines`: how many stand before it."""

    lines: int


Line = (
    Head
    | SubtenantLine
    | AssistantLine
    | MemoryLine
    | ChatLine
    | TurnLine
    | PieceLine
    | MessageLine
    | ModelCallLine
    | End
)

Told = Head | RowLine | End

_encode: Final = msgspec.json.Encoder().encode


def encode_line(line: Told) -> bytes:
    """With its line feed. What others gave us as JSON may hold some between its tokens: blanks mean the same."""
    return _encode(line).replace(b"\n", b" ").replace(b"\r", b" ") + b"\n"
