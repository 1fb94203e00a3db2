"""The words of the REST service's answers."""

from datetime import datetime
from typing import Literal

from msgspec import Struct

from parlance.core.events import Status
from parlance.core.fault import Fault
from parlance.core.messages import Role
from parlance.core.stores.turns import State
from parlance.core.usage import Finish

Json = object
"""Any JSON. What is kept of it has been checked on its way in."""


class SubtenantResource(Struct, frozen=True):
    id: str
    name: str | None
    metadata: dict[str, Json]
    created_at: datetime
    updated_at: datetime


class ChatResource(Struct, frozen=True, kw_only=True):
    id: str
    subtenant_id: str
    title: str | None
    system_message: str | None
    assistant_id: str | None
    enabled_functions: list[str] | None
    enabled_mcp_tools: list[str] | None
    created_at: datetime
    updated_at: datetime


class CalledFunction(Struct, frozen=True):
    """`arguments` is JSON text."""

    name: str
    arguments: str


class CalledTool(Struct, frozen=True):
    """A call in OpenAI's form."""

    id: str
    function: CalledFunction
    type: Literal["function"] = "function"


class PromptDetails(Struct, frozen=True):
    cached_tokens: int | None
    cache_written_tokens: int | None


class CompletionDetails(Struct, frozen=True):
    reasoning_tokens: int | None


class UsageResource(Struct, frozen=True):
    """Null: the host did not say. `estimated`: at least one figure is not the host's."""

    prompt_tokens: int | None
    completion_tokens: int | None
    total_tokens: int | None
    prompt_tokens_details: PromptDetails
    completion_tokens_details: CompletionDetails
    estimated: bool


class MessageResource(Struct, frozen=True, kw_only=True):
    """`status` is how the message's turn ended; null while it has not."""

    id: str
    chat_id: str
    role: Role
    content: str
    tool_calls: list[CalledTool] | None
    tool_call_id: str | None
    name: str | None
    enabled_functions: list[str] | None
    enabled_mcp_tools: list[str] | None
    created_at: datetime
    model: str | None
    provider: str | None
    usage: UsageResource | None
    status: Status | None
    turn_id: str | None


class ChatWithMessages(ChatResource, frozen=True, kw_only=True):
    messages: list[MessageResource]


class MemoryResource(Struct, frozen=True):
    id: str
    subtenant_id: str
    key: str
    value: Json
    created_at: datetime
    updated_at: datetime


class AssistantResource(Struct, frozen=True, kw_only=True):
    """`subtenant_id` null: the whole service's."""

    id: str
    subtenant_id: str | None
    name: str
    description: str | None
    system_prompt: str | None
    enabled_functions: list[str] | None
    enabled_mcp_tools: list[str] | None
    function_parameters: dict[str, Json]
    mcp_tool_parameters: dict[str, Json]
    is_active: bool
    created_at: datetime
    updated_at: datetime


class AssistantList(Struct, frozen=True):
    """`total` counts all of them, not those of this page."""

    assistants: list[AssistantResource]
    total: int


class DeletedSubtenant(SubtenantResource, frozen=True):
    message: str


class DeletedChat(ChatResource, frozen=True, kw_only=True):
    message: str


class DeletedMemory(MemoryResource, frozen=True):
    message: str


class DeletedAssistant(AssistantResource, frozen=True, kw_only=True):
    message: str


class SentMessage(Struct, frozen=True, kw_only=True):
    """The answer to a message. `message` is null where the turn was cancelled before the model had said anything.

    `waiting`: the model calls tools of the caller, who gives their results to the turn.
    """

    message: MessageResource | None
    usage: UsageResource
    turn_id: str
    status: Literal["completed", "cancelled", "waiting"]


class Completion(Struct, frozen=True, kw_only=True):
    """The answer of a model that was asked directly."""

    content: str
    role: Literal["assistant"]
    tool_calls: list[CalledTool] | None
    usage: UsageResource
    model: str
    provider: str
    finish_reason: Finish | None


class TurnResource(Struct, frozen=True, kw_only=True):
    """`cursor` is that of the newest event. `chat_id` is null for a live turn, whose times are not kept either.

    `message` is the answer, once the turn has ended with one.
    """

    id: str
    chat_id: str | None
    subtenant_id: str
    status: State
    door: str
    model: str
    provider: str
    finish_reason: Finish | None
    usage: UsageResource | None
    error: Fault | None
    message: MessageResource | None
    cursor: str
    created_at: datetime | None
    ended_at: datetime | None


class CallResource(Struct, frozen=True, kw_only=True):
    """One call of a model. Times are in seconds, `cost` in US dollars; null: not known."""

    id: str
    subtenant_id: str
    chat_id: str | None
    turn_id: str | None
    request_id: str | None
    door: str
    provider: str
    model: str
    attempt: int
    status: Literal["answered", "failed", "left"]
    error: str | None
    upstream_id: str | None
    usage: UsageResource | None
    cost: float | None
    first_token_seconds: float | None
    latency_seconds: float
    created_at: datetime


class UsageRow(Struct, frozen=True, kw_only=True):
    """Sums over the calls of one provider's model. `cost` leaves out the `unpriced` ones."""

    provider: str
    model: str
    requests: int
    failed: int
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    cost: float
    unpriced: int
