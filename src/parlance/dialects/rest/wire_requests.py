"""The words of the REST service's requests. In a partial change `UNSET` leaves a field as it is, and null clears it."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Raw, Struct, UnsetType, field

from parlance.dialects.rest.wire import Json

SubtenantName = Annotated[str, Meta(pattern=r"^[^\s\x00-\x1f\x7f-\x9f]+$", min_length=1, max_length=255)]
"""Without white space, since that is what keys can be bound to."""

Skip = Annotated[int, Meta(ge=0, le=1_000_000_000)]
Limit = Annotated[int, Meta(ge=1, le=1000)]
Moment = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]


class NewSubtenant(Struct, frozen=True):
    """`id`: a name of your own choice, such as the one that a key is bound to; else it gets a UUID."""

    id: SubtenantName | None = None
    name: str | None = None
    metadata: dict[str, Json] | None = None


class ChangedSubtenant(Struct, frozen=True):
    name: str | UnsetType | None = UNSET
    metadata: dict[str, Json] | UnsetType | None = UNSET


class NewChatBody(Struct, frozen=True):
    title: str | None = None
    system_message: str | None = None
    assistant_id: str | None = None
    enabled_functions: list[str] | None = None
    enabled_mcp_tools: list[str] | None = None


class ChangedChat(Struct, frozen=True):
    """A chat's assistant never changes."""

    title: str | UnsetType | None = UNSET
    system_message: str | UnsetType | None = UNSET
    enabled_functions: list[str] | UnsetType | None = UNSET
    enabled_mcp_tools: list[str] | UnsetType | None = UNSET


class NewMemory(Struct, frozen=True):
    key: str
    value: Json


class ChangedMemory(Struct, frozen=True):
    value: Json


class NewAssistantBody(Struct, frozen=True):
    """`subtenant_id`: whose it is; left out, the caller's own; null, the whole service's."""

    name: str
    subtenant_id: str | UnsetType | None = UNSET
    description: str | None = None
    system_prompt: str | None = None
    enabled_functions: list[str] | None = None
    enabled_mcp_tools: list[str] | None = None
    function_parameters: dict[str, Json] | None = None
    mcp_tool_parameters: dict[str, Json] | None = None
    is_active: bool = True


class ChangedAssistant(Struct, frozen=True):
    name: str | UnsetType = UNSET
    description: str | UnsetType | None = UNSET
    system_prompt: str | UnsetType | None = UNSET
    enabled_functions: list[str] | UnsetType | None = UNSET
    enabled_mcp_tools: list[str] | UnsetType | None = UNSET
    function_parameters: dict[str, Json] | UnsetType | None = UNSET
    mcp_tool_parameters: dict[str, Json] | UnsetType | None = UNSET
    is_active: bool | UnsetType = UNSET


_FUNCTION = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"},
        "description": {"type": "string"},
        "parameters": {"type": "object", "description": "A JSON Schema of an object."},
    },
    "required": ["name"],
}
_TOOL = {
    "type": "object",
    "properties": {"type": {"const": "function"}, "function": _FUNCTION},
    "required": ["function"],
}

Tools = Annotated[list[Raw], Meta(extra_json_schema={"items": _TOOL})]
Functions = Annotated[list[Raw], Meta(extra_json_schema={"items": _FUNCTION})]


class ChosenFunction(Struct, frozen=True):
    name: str


class ChosenTool(Struct, frozen=True):
    """The model must call this one."""

    function: ChosenFunction
    type: Literal["function"] = "function"


Choice = Literal["auto", "none", "required"] | ChosenTool | None


class SendBody(Struct, frozen=True):
    """A message for a chat. With `role: tool` its content is the result of the call `tool_call_id`.

    `functions` is the older form of `tools`. `disabled_functions` and `disabled_mcp_tools` may hold `all`.
    """

    content: str
    role: Literal["user", "tool"] = "user"
    tool_call_id: str | None = None
    provider_name: str | None = None
    model: str | None = None
    include_memories: bool | None = None
    enabled_functions: list[str] | None = None
    disabled_functions: list[str] | None = None
    enabled_mcp_tools: list[str] | None = None
    disabled_mcp_tools: list[str] | None = None
    tools: Tools | None = None
    functions: Functions | None = None
    tool_choice: Choice = None
    temperature: float | None = None
    max_tokens: Annotated[int, Meta(ge=1)] | None = None


class ImageAddress(Struct, frozen=True):
    """`url`: http(s), or `data:` with base64."""

    url: str
    detail: str | None = None


class TextPiece(Struct, frozen=True, tag_field="type", tag="text"):
    text: str


class ImagePiece(Struct, frozen=True, tag_field="type", tag="image_url"):
    image_url: ImageAddress


class GivenFunction(Struct, frozen=True):
    name: str
    arguments: str = "{}"


class GivenCall(Struct, frozen=True):
    id: str
    function: GivenFunction
    type: Literal["function"] = "function"


class GivenMessage(Struct, frozen=True):
    """A message in OpenAI's form."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[TextPiece | ImagePiece] | None = None
    tool_calls: list[GivenCall] | None = None
    tool_call_id: str | None = None
    name: str | None = None


class CompletionBody(Struct, frozen=True):
    """Messages for a model, without a chat."""

    messages: list[GivenMessage]
    provider_name: str | None = None
    model: str | None = None
    temperature: float | None = None
    max_tokens: Annotated[int, Meta(ge=1)] | None = None
    tools: Tools | None = None
    tool_choice: Choice = None


def _null() -> Raw:
    """Made by a function, for no schema can show this default."""
    return Raw(b"null")


class GivenResult(Struct, frozen=True):
    """What the caller's own tool returned: `result`, any JSON, or `error`."""

    tool_call_id: str
    result: Raw = field(default_factory=_null)
    error: str | None = None


class ResultsBody(Struct, frozen=True):
    results: list[GivenResult]


class PageQuery(Struct, frozen=True):
    skip: Skip = 0
    limit: Limit = 100


class CallsQuery(Struct, frozen=True):
    """Times: from `since` on, before `until`."""

    skip: Skip = 0
    limit: Limit = 100
    subtenant_id: str | None = None
    chat_id: str | None = None
    turn_id: str | None = None
    provider: str | None = None
    model: str | None = None
    since: Moment | None = None
    until: Moment | None = None


class UsageQuery(Struct, frozen=True):
    """As of the list of requests, but for the page."""

    subtenant_id: str | None = None
    chat_id: str | None = None
    turn_id: str | None = None
    provider: str | None = None
    model: str | None = None
    since: Moment | None = None
    until: Moment | None = None


class StreamQuery(Struct, frozen=True):
    """Events of these kinds are told only to who asks for them. `restarts`: the client can take back what it showed."""

    reasoning: bool = False
    warnings: bool = False
    restarts: bool = False


class FollowQuery(Struct, frozen=True):
    """`after`: the cursor behind which to begin, as in the header `Last-Event-ID`."""

    after: str | None = None
    reasoning: bool = False
    warnings: bool = False
