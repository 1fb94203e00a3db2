"""The words of the WebSocket chat."""

from typing import Literal

from msgspec import Raw, Struct

from parlance.core.usage import Usage
from parlance.dialects.chat_request import Params
from parlance.dialects.tool_rounds import GivenResult


class Envelope(Struct, frozen=True):
    """What every frame of a client has; `payload` is read once the action is known."""

    action: str
    request_id: str | None = None
    turn_id: str | None = None
    after: str | None = None
    payload: Raw = Raw(b"{}")


class GivenMessage(Struct, frozen=True):
    """What was said before, on another connection."""

    role: Literal["system", "user", "assistant"]
    content: str


class ChatPayload(Struct, frozen=True):
    """`history` takes the place of what the connection remembers; None leaves that as it is."""

    text: str
    history: list[GivenMessage] | None = None
    model: str | None = None
    chat_id: str | None = None
    tools: list[Raw] | None = None
    params: Params | None = None
    idempotency_key: str | None = None


class ResumePayload(Struct, frozen=True):
    params: Params | None = None


class AuthPayload(Struct, frozen=True):
    key: str


class ToolResultPayload(Struct, frozen=True):
    results: list[GivenResult]
    turn_id: str | None = None
    request_id: str | None = None


class Metadata(Struct, frozen=True, omit_defaults=True):
    user_message: str | None = None
    chat_id: str | None = None
    status: str | None = None
    reason: str | None = None
    model: str | None = None
    provider: str | None = None
    finish_reason: str | None = None
    usage: Usage | None = None


class Chunk(Struct, frozen=True, omit_defaults=True):
    type: Literal["text", "reasoning", "tool_call", "tool_result", "restart", "warning"] | None = None
    data: str | None = None
    metadata: Metadata | None = None


class Frame(Struct, frozen=True, omit_defaults=True):
    """A frame of the server. Keys without a value are absent, save `request_id`: null says that it belongs to none."""

    request_id: str | None
    status: Literal["processing", "chunk", "complete", "error", "snapshot", "authenticated"]
    chunk: Chunk | None = None
    metadata: Metadata | None = None
    error: str | None = None
    code: str | None = None
    retryable: bool | None = None
    retry_after: float | None = None
    rejected_request_id: str | None = None
    snapshot: Raw | None = None
    turn_id: str | None = None
    cursor: str | None = None
